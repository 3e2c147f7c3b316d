"""Every mode and format, and errors of one line about what cannot be read."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from error_messages import error_of
from photographs import BLACK, GREEN, RED, WHITE, assert_photograph, png_header, random_pixels, save
from PIL import EpsImagePlugin, Image
from PIL.PngImagePlugin import PngInfo

from depthjax.images import (
    MAX_PIXELS,
    load_image,
    reading,
    to_uint8,
)


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


def test_large_metadata_does_not_lose_the_photograph(tmp_path: Path) -> None:
    pixels = random_pixels(8, 4)
    info = PngInfo()
    info.add_text("comment", "x" * (2 << 20), zip=True)
    for name, extra in {
        "text": {"pnginfo": info},
        "profile": {"icc_profile": bytes(2 << 20)},
    }.items():
        path = save(tmp_path / f"{name}.png", Image.fromarray(pixels), **extra)
        np.testing.assert_array_equal(load_image(path), pixels / np.float32(255))


@pytest.mark.parametrize(
    ("suffix", "kind"), [("eps", "PostScript"), ("pdf", "a PDF"), ("npy", "an array of NumPy")]
)
def test_what_holds_no_pixels_is_named_and_no_program_is_started(
    suffix: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"figure.{suffix}"
    if suffix == "npy":
        np.save(path, random_pixels(8, 4))
    else:
        Image.fromarray(random_pixels(8, 4)).save(path)

    def start(*_: object, **__: object) -> None:
        raise AssertionError("Pillow started Ghostscript")

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", start)
    message = error_of(lambda: load_image(path))
    assert f"figure.{suffix}' is {kind}, not an image of pixels; export it as PNG" in message


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
