"""Photographs in, PNG out: every mode and format, the three fits, one-line errors."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from error_messages import error_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from depthjax import files, images
from depthjax.images import (
    EMBEDDED,
    MAX_PIXELS,
    embedded,
    find_images,
    load_image,
    load_images,
    reading,
    save_png,
    to_uint8,
)

FITS = ("crop", "pad", "stretch")
BLACK, WHITE, RED, GREEN, BLUE = (0, 0, 0), (1, 1, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1)

side = st.integers(1, 40)


def save(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


def assert_photograph(image: np.ndarray, height: int, width: int) -> None:
    assert image.shape == (height, width, 3)
    assert image.dtype == np.float32
    assert np.isfinite(image).all()
    assert image.min() >= 0 and image.max() <= 1


def random_pixels(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds no pixels."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", zlib.compress(b""))


@pytest.fixture
def quadrants(tmp_path: Path) -> Path:
    """20 x 40: red left of green above, blue left of white below."""
    pixels = np.zeros((20, 40, 3), np.uint8)
    pixels[:10, :20], pixels[:10, 20:] = (255, 0, 0), (0, 255, 0)
    pixels[10:, :20], pixels[10:, 20:] = (0, 0, 255), (255, 255, 255)
    return save(tmp_path / "quadrants.png", Image.fromarray(pixels))


@pytest.fixture
def stripes(tmp_path: Path) -> Path:
    """20 x 40, three columns of colour: red for 10 pixels, green for 20, blue for 10."""
    pixels = np.zeros((20, 40, 3), np.uint8)
    pixels[:, :10, 0] = pixels[:, 10:30, 1] = pixels[:, 30:, 2] = 255
    return save(tmp_path / "stripes.png", Image.fromarray(pixels))


# --- Embedded photographs -------------------------------------------------------------------------


@pytest.mark.parametrize("name", EMBEDDED)
def test_embedded_photographs_load_and_say_where_they_come_from(name: str) -> None:
    photograph = EMBEDDED[name]
    assert photograph.name == name
    assert photograph.package in {"scikit-image", "scikit-learn"}
    assert photograph.licence and photograph.description
    image = load_image(name)
    assert_photograph(image, *image.shape[:2])
    assert min(image.shape[:2]) >= 200
    assert image.std() > 0.02


def test_the_embedded_names() -> None:
    assert set(EMBEDDED) == set(
        [
            "astronaut",
            "chelsea",
            "coffee",
            "rocket",
            "retina",
            "hubble",
            "immunohistochemistry",
            "camera",
            "brick",
            "grass",
            "gravel",
            "cell",
            "clock",
            "coins",
            "moon",
            "china",
            "flower",
        ]
    )


def test_embedded_photographs_need_no_network_and_no_import_of_their_packages() -> None:
    program = (
        "import socket, sys\n"
        "def refuse(*_): raise AssertionError('network')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from depthjax.images import EMBEDDED, load_image\n"
        "for name in EMBEDDED: load_image(name)\n"
        "assert not {'skimage', 'sklearn', 'pooch'} & set(sys.modules)\n"
    )
    root = Path(images.__file__).parents[2]
    subprocess.run([sys.executable, "-c", program], check=True, cwd=root)


@pytest.mark.parametrize(
    ("name", "function"),
    [("hubble", "hubble_deep_field"), ("clock", "clock"), ("chelsea", "chelsea"),
     ("immunohistochemistry", "immunohistochemistry")],
)  # fmt: skip
def test_embedded_photographs_are_those_of_skimage(name: str, function: str) -> None:
    data = pytest.importorskip("skimage.data")
    expected = getattr(data, function)()
    expected = expected if expected.ndim == 3 else np.stack([expected] * 3, axis=-1)
    np.testing.assert_array_equal(to_uint8(load_image(name)), expected)


def test_an_embedded_photograph_whose_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded.importlib.util, "find_spec", lambda _: None)
    assert "pip install scikit-learn" in error_of(lambda: load_image("china"))


def test_an_embedded_photograph_that_its_package_does_not_ship(tmp_path: Path) -> None:
    absent = images.EmbeddedPhotograph("eagle", "scikit-image", "eagle.png", "CC0", "an eagle")
    assert "does not ship it" in error_of(lambda: absent.path)


# --- Formats and modes ----------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "webp"])
def test_lossless_formats_keep_8_bit_pixels(tmp_path: Path, suffix: str) -> None:
    pixels = random_pixels(7, 11)
    options = {"lossless": True} if suffix == "webp" else {}
    path = save(tmp_path / f"photo.{suffix}", Image.fromarray(pixels), **options)
    image = load_image(path)
    assert_photograph(image, 7, 11)
    np.testing.assert_allclose(image, pixels / 255, atol=1e-6)


@pytest.mark.parametrize("suffix", ["jpg", "JPEG", "webp"])
def test_lossy_formats_come_close(tmp_path: Path, suffix: str) -> None:
    ramp = np.linspace(0, 255, 64).astype(np.uint8)
    pixels = np.stack(np.broadcast_arrays(ramp[:, None], ramp[None], np.uint8(99)), axis=-1)
    path = save(tmp_path / f"photo.{suffix}", Image.fromarray(pixels), quality=95)
    np.testing.assert_allclose(load_image(path), pixels / 255, atol=0.05)


def test_the_format_is_told_by_content_not_suffix(tmp_path: Path) -> None:
    pixels = random_pixels(4, 5)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    (tmp_path / "photo").write_bytes(buffer.getvalue())
    np.testing.assert_array_equal(to_uint8(load_image(tmp_path / "photo")), pixels)


@pytest.mark.parametrize(
    ("mode", "colour", "suffix", "expected"),
    [
        ("1", 1, "png", WHITE),
        ("1", 0, "png", BLACK),
        ("L", 51, "png", (0.2, 0.2, 0.2)),
        ("LA", (51, 255), "png", (0.2, 0.2, 0.2)),
        ("LA", (51, 0), "png", WHITE),
        ("LA", (0, 51), "png", (0.8, 0.8, 0.8)),
        ("RGB", (255, 51, 0), "png", (1, 0.2, 0)),
        ("RGBA", (255, 51, 0, 255), "png", (1, 0.2, 0)),
        ("RGBA", (255, 51, 0, 0), "png", WHITE),
        ("RGBA", (255, 0, 0, 51), "png", (1, 0.8, 0.8)),
        ("RGBA", (255, 0, 0, 51), "tif", (1, 0.8, 0.8)),
        ("CMYK", (0, 255, 255, 0), "tif", RED),
        ("CMYK", (0, 0, 0, 255), "tif", BLACK),
        ("CMYK", (0, 0, 0, 0), "jpg", WHITE),
        ("I;16", 13107, "png", (0.2, 0.2, 0.2)),
        ("I;16", 13107, "tif", (0.2, 0.2, 0.2)),
        ("I;16B", 13107, "tif", (0.2, 0.2, 0.2)),
        ("I", 13107, "tif", (0.2, 0.2, 0.2)),
        ("F", 0.2, "tif", (0.2, 0.2, 0.2)),
    ],
)
def test_every_mode_becomes_rgb_over_white(
    tmp_path: Path, mode: str, colour: object, suffix: str, expected: tuple[float, ...]
) -> None:
    path = save(tmp_path / f"plain.{suffix}", Image.new(mode, (6, 4), colour))
    with Image.open(path) as stored:
        assert stored.mode == mode
    image = load_image(path)
    assert_photograph(image, 4, 6)
    np.testing.assert_allclose(image, np.broadcast_to(expected, (4, 6, 3)), atol=1e-5)


@pytest.mark.parametrize(
    ("suffix", "transparency"),
    [("png", None), ("png", 1), ("png", bytes([255, 51])), ("gif", None), ("gif", 1)],
)
def test_palettes_with_and_without_transparency(
    tmp_path: Path, suffix: str, transparency: int | bytes | None
) -> None:
    picture = Image.new("P", (4, 2), 0)
    picture.putpalette([0, 255, 0, 255, 0, 0])
    picture.paste(1, (2, 0, 4, 2))
    options = {} if transparency is None else {"transparency": transparency}
    image = load_image(save(tmp_path / f"palette.{suffix}", picture, **options))
    right = {None: RED, 1: WHITE}.get(transparency, (1, 0.8, 0.8))
    np.testing.assert_allclose(image[:, :2], np.broadcast_to(GREEN, (2, 2, 3)), atol=1e-6)
    np.testing.assert_allclose(image[:, 2:], np.broadcast_to(right, (2, 2, 3)), atol=1e-6)


@pytest.mark.parametrize(
    ("pixels", "transparent"),
    [
        (np.array([[9, 200]], np.uint8), 9),
        (np.array([[[9, 8, 7], [200, 200, 200]]], np.uint8), (9, 8, 7)),
        (np.array([[9, 51400]], np.uint16), 9),
    ],
    ids=["L", "RGB", "I;16"],
)
def test_the_transparent_colour_of_a_png_is_white(
    tmp_path: Path, pixels: np.ndarray, transparent: object
) -> None:
    path = save(tmp_path / "key.png", Image.fromarray(pixels), transparency=transparent)
    image = load_image(path)
    np.testing.assert_allclose(image[0, 0], WHITE)
    np.testing.assert_allclose(image[0, 1], [200 / 255] * 3, atol=1e-6)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bit_grey_is_not_cut_to_8_bits(tmp_path: Path, suffix: str) -> None:
    ramp = np.arange(0, 65536, 16, dtype=np.uint16).reshape(64, 64)
    path = save(tmp_path / f"ramp.{suffix}", Image.fromarray(ramp))
    whole = load_image(path)
    np.testing.assert_allclose(whole[..., 1], ramp / 65535, atol=1e-7)
    assert len(np.unique(whole)) == 4096
    assert len(np.unique(load_image(path, 32))) > 256


def test_float_grey_keeps_its_precision(tmp_path: Path) -> None:
    ramp = np.linspace(0, 1, 1024, dtype=np.float32).reshape(32, 32)
    path = save(tmp_path / "ramp.tif", Image.fromarray(ramp))
    np.testing.assert_array_equal(load_image(path)[..., 2], ramp)


def test_float_grey_a_rounding_error_outside_is_clipped(tmp_path: Path) -> None:
    path = save(tmp_path / "over.tif", Image.fromarray(np.array([[-1e-6, 1.00001]], np.float32)))
    np.testing.assert_array_equal(load_image(path)[0], [BLACK, WHITE])


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_an_animation_gives_its_first_frame(tmp_path: Path, suffix: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue", "lime")]
    options = {"lossless": True} if suffix == "webp" else {}
    path = tmp_path / f"film.{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:], **options)
    with Image.open(path) as stored:
        assert stored.n_frames == 3
    np.testing.assert_allclose(load_image(path), np.broadcast_to(RED, (8, 8, 3)), atol=1e-6)


# What each EXIF orientation did to the upright picture, undone by loading it.
STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("suffix", ["png", "tif", "jpg"])
def test_exif_orientation_gives_the_upright_image(
    tmp_path: Path, quadrants: Path, orientation: int, suffix: str
) -> None:
    upright = load_image(quadrants)
    picture = Image.fromarray(to_uint8(np.ascontiguousarray(STORED[orientation](upright))))
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 100, "subsampling": 0} if suffix == "jpg" else {}
    path = save(tmp_path / f"turned.{suffix}", picture, exif=exif, **options)
    np.testing.assert_allclose(load_image(path), upright, atol=0.3 if suffix == "jpg" else 1e-6)


def test_orientation_applies_to_16_bit_grey(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    ramp = np.arange(6, dtype=np.uint16).reshape(2, 3) * 10000
    path = save(tmp_path / "turned.png", Image.fromarray(ramp), exif=exif)
    np.testing.assert_allclose(load_image(path)[..., 0], np.rot90(ramp, -1) / 65535, atol=1e-6)


def test_corrupt_metadata_does_not_lose_the_photograph(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    exif = b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01" * 30
    path = save(tmp_path / "photo.jpg", Image.new("RGB", (8, 4), "red"), exif=exif)
    assert_photograph(load_image(path), 4, 8)
    assert not recwarn.list


# --- Resizing -------------------------------------------------------------------------------------


@given(
    full=st.tuples(side, side),
    size=st.one_of(side, st.tuples(side, side)),
    fit=st.sampled_from(FITS),
    seed=st.integers(0, 9),
)
@settings(
    max_examples=60,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_size_and_fit_gives_the_shape_asked_and_the_range(
    tmp_path: Path, full: tuple[int, int], size: int | tuple[int, int], fit: str, seed: int
) -> None:
    # Black and white noise, since it overshoots the most.
    pixels = (random_pixels(*full, seed) > 127).astype(np.uint8) * 255
    path = save(tmp_path / "noise.png", Image.fromarray(pixels))
    height, width = size if isinstance(size, tuple) else (size, size)
    assert_photograph(load_image(path, size, fit=fit), height, width)


@given(
    full=st.tuples(side, side),
    size=st.tuples(side, side),
    fit=st.sampled_from(("crop", "stretch")),
    level=st.integers(0, 255),
)
@settings(
    max_examples=40,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_a_constant_image_stays_constant(
    tmp_path: Path, full: tuple[int, int], size: tuple[int, int], fit: str, level: int
) -> None:
    path = save(tmp_path / "plain.png", Image.new("RGB", full[::-1], (level, level, level)))
    np.testing.assert_allclose(load_image(path, size, fit=fit), level / 255, atol=1e-6)


@pytest.mark.parametrize("fit", FITS)
def test_its_own_size_changes_nothing(tmp_path: Path, fit: str) -> None:
    path = save(tmp_path / "noise.png", Image.fromarray(random_pixels(9, 13)))
    np.testing.assert_array_equal(load_image(path, (9, 13), fit=fit), load_image(path))


def test_size_is_height_then_width_and_an_integer_is_a_square(quadrants: Path) -> None:
    assert load_image(quadrants, (6, 10)).shape == (6, 10, 3)
    assert load_image(quadrants, np.int64(6)).shape == (6, 6, 3)


@pytest.mark.parametrize("fit", FITS)
def test_the_layout_is_kept(quadrants: Path, fit: str) -> None:
    image = load_image(quadrants, (16, 24), fit=fit)
    corners = [image[4, 4], image[4, -5], image[-5, 4], image[-5, -5]]
    np.testing.assert_allclose(corners, [RED, GREEN, BLUE, WHITE], atol=0.05)


def test_crop_covers_and_cuts_what_is_beyond_the_centre(stripes: Path) -> None:
    # The middle 20 of 40 columns are all green; the scale of 10 / 20 leaves no others.
    image = load_image(stripes, 10)
    np.testing.assert_allclose(image[:, 1:-1], np.broadcast_to(GREEN, (10, 8, 3)), atol=0.05)
    # A crop of the height keeps every column.
    wide = load_image(stripes, (5, 40), fit="crop")
    np.testing.assert_allclose(wide[2, [2, 20, -3]], [RED, GREEN, BLUE], atol=0.05)


def test_stretch_keeps_everything_and_ignores_the_aspect(stripes: Path) -> None:
    image = load_image(stripes, 20, fit="stretch")
    np.testing.assert_allclose(image[10, [2, 7, 12, 17]], [RED, GREEN, GREEN, BLUE], atol=0.1)


def test_pad_keeps_everything_between_grey_borders(stripes: Path) -> None:
    image = load_image(stripes, 20, fit="pad")
    np.testing.assert_array_equal(image[:5], 0.5)
    np.testing.assert_array_equal(image[-5:], 0.5)
    np.testing.assert_allclose(
        image[5:-5, [2, 10, -3]], np.broadcast_to([RED, GREEN, BLUE], (10, 3, 3)), atol=0.1
    )


def disc(height: int, width: int, radius: float) -> Image.Image:
    y, x = np.mgrid[:height, :width]
    inside = np.hypot(y - (height - 1) / 2, x - (width - 1) / 2) < radius
    return Image.fromarray(inside.astype(np.uint8) * 255)


@pytest.mark.parametrize("fit", ["crop", "pad"])
@pytest.mark.parametrize("size", [(32, 32), (30, 50), (50, 31), (200, 150)])
def test_a_centred_disc_stays_a_centred_disc(
    tmp_path: Path, fit: str, size: tuple[int, int]
) -> None:
    path = save(tmp_path / "disc.png", disc(80, 120, 25))
    # Between 0 and 1 for the pixels of the disc, whatever surrounds the image.
    image = np.clip(load_image(path, size, fit=fit)[..., 0] - 0.5, 0, None) * 2
    # An odd rest of padding cannot be halved, so that the centre may move by half a pixel.
    slack = 0.51 if fit == "pad" else 0.05
    y, x = np.mgrid[: size[0], : size[1]]
    centre_y, centre_x = np.average(y, weights=image), np.average(x, weights=image)
    assert centre_y == pytest.approx((size[0] - 1) / 2, abs=slack)
    assert centre_x == pytest.approx((size[1] - 1) / 2, abs=slack)
    spread_y = np.average((y - centre_y) ** 2, weights=image) ** 0.5
    spread_x = np.average((x - centre_x) ** 2, weights=image) ** 0.5
    assert spread_y / spread_x == pytest.approx(1, abs=0.04)
    scale = (max if fit == "crop" else min)(size[0] / 80, size[1] / 120)
    assert spread_y == pytest.approx(25 * scale / 2, rel=0.05)


@pytest.mark.parametrize("fit", FITS)
def test_shrinking_does_not_alias(tmp_path: Path, fit: str) -> None:
    checks = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    path = save(tmp_path / "checks.png", Image.fromarray(checks))
    np.testing.assert_allclose(load_image(path, 16, fit=fit), 0.5, atol=0.02)


def test_enlarging_is_smooth(tmp_path: Path) -> None:
    path = save(tmp_path / "edge.png", Image.fromarray(np.array([[0, 255]], np.uint8)))
    row = load_image(path, (1, 16), fit="stretch")[0, :, 0]
    assert (np.diff(row) >= -1e-6).all()
    assert len(np.unique(row)) > 4


@pytest.mark.parametrize("fit", FITS)
def test_extreme_aspects_need_no_extreme_memory(tmp_path: Path, fit: str) -> None:
    # Scaled to cover 1 x 4000, a 3000 x 1 image would be 12,000,000 x 4000 before its crop.
    tall = save(tmp_path / "tall.png", Image.new("L", (1, 3000), 128))
    assert_photograph(load_image(tall, (1, 4000), fit=fit), 1, 4000)
    wide = save(tmp_path / "wide.png", Image.new("L", (3000, 1), 128))
    assert_photograph(load_image(wide, (4000, 1), fit=fit), 4000, 1)


# --- Finding and batches --------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "photos" / "inner.png").mkdir(parents=True)
    for name in ("b.jpg", "a.PNG", "c.webp", ".hidden.png", "inner.png/deep.png"):
        Image.new("RGB", (6, 4), "red").save(tmp_path / "photos" / name)
    (tmp_path / "photos" / "notes.txt").write_text("not an image")
    return tmp_path / "photos"


def test_find_images_expands_folders_in_order_and_drops_duplicates(folder: Path) -> None:
    a, b, c = (str(folder / name) for name in ("a.PNG", "b.jpg", "c.webp"))
    assert find_images([folder]) == (a, b, c)
    assert find_images(["moon", b, str(folder), "moon", "china"]) == ("moon", b, a, c, "china")
    assert find_images([]) == ()


def test_find_images_refuses_a_folder_without_images(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not an image")
    message = error_of(lambda: find_images([tmp_path]))
    assert repr(str(tmp_path)) in message and ".png" in message


def test_find_images_refuses_what_is_not_there(folder: Path) -> None:
    assert "did you mean 'moon'?" in error_of(lambda: find_images(["mooon"]))
    assert "b.jpg'?" in error_of(lambda: find_images([folder / "bb.jpg"]))


def test_load_images_gives_labels_and_a_batch(folder: Path) -> None:
    labels, batch = load_images([folder / "b.jpg", "moon"], (8, 10))
    assert labels == ("b", "moon")
    assert batch.shape == (2, 8, 10, 3) and batch.dtype == np.float32
    np.testing.assert_array_equal(batch[1], load_image("moon", (8, 10)))


def test_load_images_passes_the_fit_on(stripes: Path) -> None:
    for fit in FITS:
        _, batch = load_images([stripes], 20, fit=fit)
        np.testing.assert_array_equal(batch[0], load_image(stripes, 20, fit=fit))


def test_labels_stay_unique(tmp_path: Path) -> None:
    sources = ["moon"]
    for name in ("one/moon.png", "two/moon.png", "two/moon-2.png", "two/my.cat.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        sources.append(str(save(path, Image.new("RGB", (2, 2)))))
    labels, _ = load_images(sources, 2)
    assert len(set(labels)) == 5
    assert labels[:3] == ("moon", "moon-2", "moon-3") and labels[-1] == "my.cat"


def test_load_images_without_a_size_needs_equal_ones(folder: Path) -> None:
    assert load_images([folder / "a.PNG", folder / "b.jpg"], None)[1].shape == (2, 4, 6, 3)
    message = error_of(lambda: load_images([folder / "a.PNG", "moon"], None))
    assert "'moon' is 512 x 512" in message and "give a size" in message


def test_load_images_needs_a_sequence_with_something_in_it() -> None:
    assert "no images" in error_of(lambda: load_images([], 8))
    for call in (lambda: load_images("moon", 8), lambda: find_images("moon")):
        assert "['moon']" in error_of(call)


# --- Errors of reading ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "nearest"), [("chelsae", "chelsea"), ("COINS", "coins"), ("moon.png", "moon")]
)
def test_an_unknown_name_gets_the_nearest_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str, nearest: str
) -> None:
    monkeypatch.chdir(tmp_path)
    message = error_of(lambda: load_image(asked))
    assert repr(asked) in message and message.endswith(f"did you mean {nearest!r}?")


@pytest.mark.parametrize("asked", ["", "zzzz", "a\nb", "a\0b"])
def test_an_unknown_name_near_none_lists_them_all(asked: str) -> None:
    message = error_of(lambda: load_image(asked))
    assert repr(asked) in message and "did you mean" not in message
    assert all(name in message for name in EMBEDDED)


def test_an_unknown_name_may_mean_a_file_here(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(folder / "holiday.jpg", Image.new("RGB", (2, 2)))
    monkeypatch.chdir(folder)
    assert "did you mean 'holiday.jpg'?" in error_of(lambda: load_image("holiday"))


def test_a_missing_file_gets_the_nearest_in_its_folder(folder: Path) -> None:
    message = error_of(lambda: load_image(folder / "a.png~"))
    assert "'a.PNG', 'b.jpg', 'c.webp'" in message
    assert message.endswith(f"did you mean {str(folder / 'a.PNG')!r}?")


def test_a_missing_file_among_many_lists_a_few(tmp_path: Path) -> None:
    for index in range(20):
        (tmp_path / f"{index:02}.png").touch()
    message = error_of(lambda: load_image(tmp_path / "photo.jpg"))
    assert "'07.png' and 12 more images" in message and "'08.png'" not in message


def test_a_missing_folder(tmp_path: Path) -> None:
    message = error_of(lambda: load_image(tmp_path / "nowhere" / "a.png"))
    assert "there is no folder" in message and "nowhere" in message


def test_a_file_wins_over_an_embedded_name_when_it_looks_like_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "moon.png", Image.new("RGB", (3, 2), "red"))
    os.rename(save(tmp_path / "a.png", Image.new("RGB", (5, 4), "red")), tmp_path / "moon")
    assert load_image("moon.png").shape == (2, 3, 3)
    assert load_image(os.path.join(".", "moon")).shape == (4, 5, 3)
    assert load_image("moon").shape == (512, 512, 3)


def test_a_folder_is_not_an_image(folder: Path) -> None:
    message = error_of(lambda: load_image(folder))
    assert "is a folder" in message and "find_images" in message


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="no devices")
def test_a_device_is_not_an_image() -> None:
    assert "not a regular file" in error_of(lambda: load_image("/dev/zero"))


@pytest.mark.parametrize("content", [b"", b"hello, I am text\n" * 9, b"\x89PNG\r\n\x1a\n"])
def test_what_is_not_an_image(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(content)
    message = error_of(lambda: load_image(path))
    assert "photo.png" in message and "not an image" in message


@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_truncated_file(tmp_path: Path, format_name: str) -> None:
    buffer = io.BytesIO()
    Image.fromarray(random_pixels(64, 64)).save(buffer, format_name)
    path = tmp_path / "cut.png"
    path.write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])
    message = error_of(lambda: load_image(path))
    assert "cut.png" in message and "corrupt or truncated" in message


def test_a_corrupt_file(tmp_path: Path) -> None:
    path = save(tmp_path / "bad.png", Image.fromarray(random_pixels(64, 64)))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    assert "corrupt" in error_of(lambda: load_image(path))


@pytest.mark.parametrize(("width", "height"), [(10_001, 10_000), (20_000, 20_000)])
def test_a_huge_image_is_refused_by_its_header(
    tmp_path: Path, width: int, height: int, recwarn: pytest.WarningsRecorder
) -> None:
    path = tmp_path / "huge.png"
    path.write_bytes(png_header(width, height))
    message = error_of(lambda: load_image(path))
    assert "huge" in message
    assert f"{width * height:,} pixels" in message and f"{MAX_PIXELS:,}" in message
    assert not recwarn.list


def test_the_limit_of_pixels_is_inclusive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_PIXELS", 24)
    assert load_image(save(tmp_path / "a.png", Image.new("RGB", (6, 4)))).shape == (4, 6, 3)
    path = save(tmp_path / "b.png", Image.new("RGB", (5, 5)))
    assert "25 pixels" in error_of(lambda: load_image(path))


@pytest.mark.parametrize(("width", "height"), [(0, 5), (5, 0)])
def test_an_image_without_pixels(tmp_path: Path, width: int, height: int) -> None:
    path = tmp_path / "none.png"
    path.write_bytes(png_header(width, height))
    message = error_of(lambda: load_image(path))
    assert "none.png" in message and "no pixels" in message


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Simulated, since to root every file is readable.
    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    path = save(tmp_path / "secret.png", Image.new("RGB", (2, 2)))
    monkeypatch.setattr(Image, "open", refuse)
    message = error_of(lambda: load_image(path))
    assert "secret.png" in message and "permission denied" in message


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_floats_that_are_not_finite(tmp_path: Path, bad: float) -> None:
    path = save(tmp_path / "depth.tif", Image.fromarray(np.array([[0.5, bad]], np.float32)))
    assert "1 pixels that are not finite" in error_of(lambda: load_image(path))


def test_grey_values_of_another_scale(tmp_path: Path) -> None:
    floats = save(tmp_path / "f.tif", Image.fromarray(np.array([[0, 255]], np.float32)))
    assert "from 0 to 255" in error_of(lambda: load_image(floats))
    for values in ([0, 70000], [-1, 5]):
        path = save(tmp_path / "i.tif", Image.fromarray(np.array([values], np.int32)))
        assert f"from {values[0]} to {values[1]}" in error_of(lambda p=path: load_image(p))


@pytest.mark.parametrize("source", [3, None, b"moon.png", ["moon"], np.zeros((2, 2))])
def test_a_source_of_another_type(source: object) -> None:
    assert type(source).__name__ in error_of(lambda: load_image(source))


@pytest.mark.parametrize(
    "size", [0, -3, (4, 0), (0, 4), 2.5, "8", (8,), (8, 8, 3), (8, 2.5), np.zeros((3, 3)), 10**6]
)
def test_an_invalid_size(size: object) -> None:
    assert error_of(lambda: load_image("moon", size)).startswith("size ")


def test_an_invalid_fit_is_told_even_without_a_size() -> None:
    message = error_of(lambda: load_image("moon", fit="corp"))
    assert message == "unknown fit 'corp'; did you mean 'crop'? Known: crop, pad, stretch"
    assert "Known: crop, pad, stretch" in error_of(lambda: load_image("moon", 8, fit=None))


# --- Writing --------------------------------------------------------------------------------------


def test_to_uint8_clips_and_rounds_half_to_even() -> None:
    values = np.array([-1, 0, 0.5 / 255, 1.5 / 255, 2.5 / 255, 0.5, 0.999, 1, 7])
    np.testing.assert_array_equal(to_uint8(values), [0, 0, 0, 2, 2, 128, 255, 255, 255])
    assert to_uint8(values).dtype == np.uint8
    assert to_uint8(np.zeros((2, 3, 4, 5), np.float32)).shape == (2, 3, 4, 5)


def test_every_8_bit_level_survives() -> None:
    levels = np.arange(256, dtype=np.uint8)
    for dtype in (np.float32, np.float64):
        np.testing.assert_array_equal(to_uint8(levels.astype(dtype) / dtype(255)), levels)


@pytest.mark.parametrize("shape", [(5, 7, 3), (5, 7, 1), (5, 7), (1, 1, 3), (3, 3)])
def test_save_png_round_trips_8_bit_images_exactly(tmp_path: Path, shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    path = tmp_path / "out.png"
    save_png(path, pixels / np.float32(255))
    with Image.open(path) as stored:
        assert stored.format == "PNG"
        assert stored.mode == ("RGB" if shape[2:] == (3,) else "L")
    expected = np.broadcast_to(pixels.reshape(*shape[:2], -1), (*shape[:2], 3))
    np.testing.assert_array_equal(to_uint8(load_image(path)), expected)


def test_save_png_overwrites_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "out.PNG"
    save_png(str(path), np.zeros((2, 2, 3)))
    save_png(path, np.ones((3, 3, 3)))
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.PNG"]
    np.testing.assert_array_equal(load_image(path), np.ones((3, 3, 3)))


def test_save_png_writes_where_we_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_png("out.png", np.zeros((2, 2)))
    assert os.listdir(tmp_path) == ["out.png"]


@pytest.mark.skipif(os.name != "posix", reason="permission bits")
def test_save_png_grants_what_other_new_files_do(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    save_png(tmp_path / "out.png", np.zeros((2, 2)))
    assert (tmp_path / "out.png").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("step", ["write", "replace"])
def test_a_write_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "out.png"
    save_png(path, np.zeros((2, 2, 3)))
    before = path.read_bytes()

    class FullDisk(io.FileIO):
        def write(self, content: bytes) -> int:
            super().write(content[:10])
            raise OSError(28, "No space left on device")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        if step == "write":
            patch.setattr(files, "open", FullDisk, raising=False)
        else:
            patch.setattr(files.os, "replace", fail)
        message = error_of(lambda: save_png(path, np.ones((2, 2, 3))))
    assert "No space left on device" in message and "out.png" in message
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.png"]


def test_an_interrupted_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    save_png(tmp_path / "out.png", np.zeros((2, 2, 3)))
    before = (tmp_path / "out.png").read_bytes()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(files.os, "replace", interrupt)
        save_png(tmp_path / "out.png", np.ones((2, 2, 3)))
    assert (tmp_path / "out.png").read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.png"]


def test_save_png_to_where_it_cannot_go(tmp_path: Path) -> None:
    image = np.zeros((2, 2, 3))
    (tmp_path / "taken.png").mkdir()
    assert "taken.png" in error_of(lambda: save_png(tmp_path / "taken.png", image))
    assert "no folder" in error_of(lambda: save_png(tmp_path / "nowhere" / "out.png", image))
    assert "'.png'" in error_of(lambda: save_png(tmp_path / "out.jpg", image))
    assert [entry.name for entry in tmp_path.iterdir()] == ["taken.png"]


@pytest.mark.parametrize("shape", [(3,), (2, 2, 4), (2, 2, 2), (1, 2, 2, 3), (0, 2, 3), ()])
def test_save_png_refuses_other_shapes(tmp_path: Path, shape: tuple[int, ...]) -> None:
    message = error_of(lambda: save_png(tmp_path / "out.png", np.zeros(shape)))
    assert str(shape) in message and "[H, W, 3]" in message
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_writing_refuses_values_that_are_not_finite(tmp_path: Path, bad: float) -> None:
    image = np.full((2, 2), 0.5)
    image[0, 1] = bad
    assert "1 of 4 values" in error_of(lambda: to_uint8(image))
    assert "1 of 4 values" in error_of(lambda: save_png(tmp_path / "out.png", image))


def test_writing_refuses_integers_rather_than_turning_them_white() -> None:
    assert "uint8" in error_of(lambda: to_uint8(np.full((2, 2), 128, np.uint8)))
