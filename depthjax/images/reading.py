"""Reads photographs from files: float32 RGB `[H, W, 3]` in [0, 1], upright."""

import io
import re
import warnings
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, PngImagePlugin, TiffImagePlugin, UnidentifiedImageError

from depthjax.images.formats import some_format
from depthjax.images.luminance import luminance
from depthjax.images.resizing import MAX_PIXELS, Photograph, Size, check_fit, height_width, resize
from depthjax.images.sources import Source, as_text, as_texts, locate, unique_labels

# Of a PNG, Pillow lets text and colour profiles be 64 MiB together but refuses the photograph for a
# single one of more than 1 MiB, as editors and scanners write them.
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY


def load_image(
    source: Source, size: Size | None = None, *, fit: str = "crop", channels: int = 3
) -> Photograph:
    """One photograph from a file, upright.

    EXIF orientation is applied, transparency is laid over white, grey becomes RGB, and of an
    animation the first frame is taken. Grey images of 16 bits or of floats keep their precision;
    Pillow reads colour of 16 bits as 8 bits. Values stay as the file encodes them: gamma is kept,
    and ICC profiles are not applied.

    Args:
        source: the name of an embedded photograph (a key of `EMBEDDED`), or the path of a PNG,
            JPEG, WebP, BMP, TIFF or GIF file, or of another format that Pillow reads.
        size: `(height, width)`, or one integer for a square; None keeps the image's own size.
            Resizing is antialiased, and works on the values as stored, not on linear light.
        fit: how an image of another aspect ratio gets the size. "crop": scaled until it covers the
            size, then cropped about its centre. "pad": scaled until it fits within the size, then
            centred with borders of mean grey, 0.5. "stretch": scaled to the size in each direction.
        channels: 3, or 1 for a grey image: the luminance (`depthjax.images.luminance`).

    Returns:
        float32 `[H, W, channels]` in [0, 1].

    Raises:
        ValueError: for an unknown name; for a file that is missing, may not be read, is no image,
            is corrupt, or has more than `MAX_PIXELS` pixels; for grey values outside 16 bits; for
            floats outside [0, 1] or not finite; for an invalid `size`, `fit` or `channels`.
    """
    check_fit(fit)
    if channels not in (1, 3):
        raise ValueError(
            f"image files have 3 channels, or 1 as grey images, not {channels};"
            " from Python depthjax.autoencode takes arrays of any"
        )
    target = None if size is None else height_width(size)
    text = as_text(source)
    with warnings.catch_warnings():
        # Pillow warns of corrupt metadata, which is harmless, and of many pixels, checked here.
        warnings.simplefilter("ignore")
        image = resize(_read(locate(text), repr(text)), target, fit)
    return image if channels == 3 else luminance(image)[..., None].astype(np.float32)


def load_images(
    sources: Sequence[Source], size: Size | None, *, fit: str = "crop", channels: int = 3
) -> tuple[tuple[str, ...], Photograph]:
    """Several photographs as one batch, in the order of `sources`.

    Args:
        sources: as for `load_image`. Folders are not expanded; see `find_images`.
        size: as for `load_image`; None only if all images have the same size.
        fit, channels: as for `load_image`.

    Returns:
        The labels, and the images, float32 `[B, H, W, channels]` in [0, 1]. A label is the name of
        an embedded photograph, or the file's name without its suffix; repeated ones, also in
        letters of another case, become "name-2", "name-3", ….

    Raises:
        ValueError: as `load_image`; for no sources; for images of different sizes without a `size`.
    """
    texts = as_texts(sources)
    if not texts:
        raise ValueError("there are no images to load; give a path or an embedded name at least")
    images = [load_image(text, size, fit=fit, channels=channels) for text in texts]
    for text, image in zip(texts, images, strict=True):
        if image.shape != images[0].shape:
            raise ValueError(
                f"{text!r} is {_dimensions(image)} but {texts[0]!r} is {_dimensions(images[0])}; "
                "give a size to bring them to"
            )
    return unique_labels(texts), np.stack(images)


def decode_image(
    content: bytes, size: Size | None = None, *, fit: str = "crop", shown: str = "the image"
) -> Photograph:
    """One photograph from the bytes of an image file; safe in any thread.

    Args:
        content: of the file.
        size, fit: as for `load_image`.
        shown: what errors call the image.

    Returns:
        float32 `[H, W, 3]` in [0, 1].

    Raises:
        ValueError: as `load_image`.
    """
    check_fit(fit)
    target = None if size is None else height_width(size)
    return resize(_read(io.BytesIO(content), shown), target, fit)


def _read(file: str | io.BytesIO, shown: str) -> Photograph:
    """The whole image, upright; errors call it `shown`."""
    try:
        image, grey = _decode(file)
    # Given a corrupt file, Pillow's decoders raise errors of many kinds.
    except Exception as error:
        raise ValueError(_unreadable(shown, error, _first_bytes(file))) from error
    return _rgb(image, grey, shown)


class _Grey(NamedTuple):
    """What a file says of grey values that Pillow leaves as they are stored.

    Fields:
        white: the largest whole number that there may be.
        negative: whether the largest means black.
    """

    white: int = 65535
    negative: bool = False


def _decode(file: str | io.BytesIO) -> tuple[Image.Image, _Grey]:
    """The first frame. The header is read first: a huge image is refused before it is decoded."""
    with ExitStack() as opened:
        # By name Pillow maps some files into memory, and turns those upright wrongly.
        stream = opened.enter_context(open(file, "rb")) if isinstance(file, str) else file
        image = opened.enter_context(Image.open(stream))
        if image.width * image.height > MAX_PIXELS:
            raise Image.DecompressionBombError(f"{image.width * image.height} pixels")
        if image.format in _DRAWN:
            raise UnidentifiedImageError
        return ImageOps.exif_transpose(image), _grey_of(image)


def _grey_of(image: Image.Image) -> _Grey:
    tags = getattr(image, "tag_v2", {})
    bits = min(16, *tags.get(TiffImagePlugin.BITSPERSAMPLE, (16,)))
    return _Grey(2**bits - 1, tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION, 1) == 0)


_TIFF = (b"II*\0", b"MM\0*")
_DRAWN = ("EPS", "WMF")
"""Formats of Pillow that other programs draw: Ghostscript, which would run what the file says."""
_NO_PIXELS = {
    b"%!PS": "PostScript",
    b"\xc5\xd0\xd3\xc6": "PostScript",
    b"%PDF": "a PDF",
    b"\x93NUM": "an array of NumPy",
}
"""What often lies in place of a photograph, by its first four bytes."""


def _first_bytes(file: str | io.BytesIO) -> bytes:
    if isinstance(file, io.BytesIO):
        return file.getvalue()[:4]
    with suppress(OSError), open(file, "rb") as opened:
        return opened.read(4)
    return b""


def _unreadable(shown: str, error: Exception, first: bytes) -> str:
    detail = " ".join(str(error).split())
    if isinstance(error, PermissionError):
        return f"{shown} may not be read (permission denied); check the file's permissions"
    if isinstance(error, Image.DecompressionBombError):
        # Pillow may refuse the image before we can read its size; its message holds the count.
        count = int(next(iter(re.findall(r"\d+", detail)), MAX_PIXELS))
        return (
            f"{shown} is huge: {count:,} pixels, and the limit is {MAX_PIXELS:,}; "
            "make it smaller before reading it"
        )
    if isinstance(error, UnidentifiedImageError) and first in _TIFF:
        return (
            f"{shown} is a TIFF of a kind that Pillow does not read, such as colour in floats; save"
            " it with 8 bits, or as PNG"
        )
    if isinstance(error, UnidentifiedImageError) and first in _NO_PIXELS:
        return f"{shown} is {_NO_PIXELS[first]}, not an image of pixels; export it as PNG"
    if isinstance(error, UnidentifiedImageError):
        return (
            f"{shown} is not an image that can be read (unknown format, no pixels, or cut off in "
            f"its header); give a {some_format()} file"
        )
    return f"{shown} is corrupt or truncated ({detail}); fetch or export the file again"


def _rgb(image: Image.Image, grey: _Grey, shown: str) -> Photograph:
    # Pillow would clip these modes to 8 bits.
    if image.mode in {"I", "F"} or image.mode.startswith("I;16"):
        whole = image.mode != "F"
        values = _integer_grey(image, grey.white, shown) if whole else _float_grey(image, shown)
        return np.repeat((1 - values if grey.negative else values)[..., None], 3, axis=-1)
    if image.has_transparency_data:
        return _over_white(np.asarray(image.convert("RGBA"), np.float32) / np.float32(255))
    return np.asarray(image.convert("RGB"), np.float32) / np.float32(255)


def _over_white(rgba: Photograph) -> Photograph:
    alpha = rgba[..., 3:]
    return rgba[..., :3] * alpha + (1 - alpha)


def _integer_grey(image: Image.Image, white: int, shown: str) -> Photograph:
    values = np.asarray(image)
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise ValueError(
            f"{shown} holds integers from {low} to {high}, but grey values are read as 16 bits, "
            "0 to 65535; rescale it first"
        )
    grey = values.astype(np.float32) / np.float32(white)
    # A 16-bit grey PNG may declare one value transparent; over white it becomes white.
    return np.where(values == image.info.get("transparency", -1), np.float32(1), grey)


def _float_grey(image: Image.Image, shown: str) -> Photograph:
    grey = np.asarray(image, np.float32)
    nonfinite = int(np.count_nonzero(~np.isfinite(grey)))
    if nonfinite:
        raise ValueError(
            f"{shown} holds {nonfinite} pixels that are not finite (NaN or infinity); "
            "replace them first"
        )
    # Up to half an 8-bit step outside is rounding; more means another scale, such as 0 to 255.
    if grey.min() < -1 / 510 or grey.max() > 1 + 1 / 510:
        raise ValueError(
            f"{shown} holds floats from {grey.min():g} to {grey.max():g}, but they are read as "
            "0 (black) to 1 (white); rescale it first"
        )
    return np.clip(grey, 0, 1)


def _dimensions(image: npt.NDArray[Any]) -> str:
    return " x ".join(str(side) for side in image.shape[:2])
