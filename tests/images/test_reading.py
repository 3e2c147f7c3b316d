"""Every mode and format, and errors of one line about what cannot be read."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from error_messages import error_of
from photographs import BLACK, GREEN, RED, WHITE, assert_photograph, png_header, random_pixels, save
from PIL import EpsImagePlugin, Image
from PIL.PngImagePlugin import PngInfo

from depthjax.images import (
    MAX_PIXELS,
    decode_image,
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


def tiff(pixels: np.ndarray, bits: int, photometric: int, orientation: int = 1) -> bytes:
    """An uncompressed TIFF of grey values, whole numbers of 12 or 16 bits or floats of 32."""
    if bits == 12:
        nibbles = pixels.reshape(-1, 2).astype(np.uint32)
        whole = (nibbles[:, 0] << 12) | nibbles[:, 1]
        data = b"".join(int(three).to_bytes(3, "big") for three in whole)
    else:
        data = pixels.astype("<f4" if bits == 32 else "<u2").tobytes()
    height, width = pixels.shape
    tags = [
        *[(256, width), (257, height), (258, bits), (259, 1), (262, photometric)],
        *[(273, 8), (274, orientation), (277, 1), (278, height), (279, len(data))],
        *[(339, 3)] * (bits == 32),
    ]
    begin = 8 + len(data) + len(data) % 2
    fields = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    head = b"II*\0" + struct.pack("<I", begin) + data + b"\0" * (len(data) % 2)
    return head + struct.pack("<H", len(tags)) + fields + struct.pack("<I", 0)


@pytest.mark.parametrize(("bits", "photometric"), [(12, 1), (16, 0), (16, 1), (32, 0), (32, 1)])
def test_grey_values_of_more_than_eight_bits_are_as_bright_as_the_file_says(
    bits, photometric, tmp_path
):
    most = 1 if bits == 32 else 2**bits - 1
    shares = np.array([[0.0, 1.0], [0.25, 0.75]])
    values = shares * most if bits == 32 else np.round(shares * most)
    (path := tmp_path / "grey.tif").write_bytes(tiff(values, bits, photometric))
    bright = shares if photometric else 1 - shares
    np.testing.assert_allclose(load_image(path)[..., 0], bright, atol=1e-3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_file_is_as_upright_as_its_bytes(orientation, tmp_path):
    """Also where Pillow would map it into memory."""
    pixels = np.random.default_rng(0).integers(0, 65535, (6, 10))
    content = tiff(pixels, 16, 1, orientation)
    (path := tmp_path / "turned.tif").write_bytes(content)
    upright = decode_image(content)[..., 0]
    assert upright.shape == ((6, 10) if orientation < 5 else (10, 6))
    assert upright.ravel().tolist() == pytest.approx(turned(pixels, orientation) / 65535)
    np.testing.assert_array_equal(load_image(path)[..., 0], upright)


def turned(pixels: np.ndarray, orientation: int) -> list[float]:
    """As EXIF means it."""
    turn = {
        1: lambda x: x, 2: np.fliplr, 3: lambda x: np.rot90(x, 2), 4: np.flipud, 5: np.transpose,
        6: lambda x: np.rot90(x, -1), 7: lambda x: np.rot90(np.transpose(x), 2), 8: np.rot90,
    }  # fmt: skip
    return turn[orientation](pixels).ravel()
