"""Photographs in, PNG out.

Everything here is numpy: a photograph is a float32 array ``[H, W, 3]`` of RGB in [0, 1], with the
values as the file encodes them (gamma kept, no colour management by ICC profile).
"""

from __future__ import annotations

import difflib
import io
import operator
import os
import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from depthjax.embedded import EMBEDDED, EmbeddedPhotograph
from depthjax.files import write_atomically

__all__ = [
    "EMBEDDED",
    "IMAGE_SUFFIXES",
    "MAX_PIXELS",
    "EmbeddedPhotograph",
    "decode_image",
    "find_images",
    "load_image",
    "load_images",
    "save_png",
    "to_uint8",
]

Photograph = npt.NDArray[np.float32]
Size = int | tuple[int, int]
Source = str | os.PathLike[str]

MAX_PIXELS = 100_000_000
"""The most pixels an image may have, read or resized; at this limit its floats fill 1.2 GB."""

IMAGE_SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""The suffixes that make a file in a folder an image; a file named by itself may have any other."""

_PAD_GREY = 0.5


# --- From a source to a file ----------------------------------------------------------------------


def _text(source: Source) -> str:
    if not isinstance(source, str | os.PathLike):
        raise ValueError(
            f"an image is named by a string or a path, not by {type(source).__name__}; "
            f"give the path of an image file or an embedded photograph's name"
        )
    return os.fsdecode(source)


def _texts(sources: Sequence[Source]) -> list[str]:
    # A lone string is a sequence too, and would be read letter by letter.
    if isinstance(sources, str | os.PathLike):
        raise ValueError(f"sources must be a sequence, not one source; give [{_text(sources)!r}]")
    return [_text(source) for source in sources]


def _locate(text: str) -> str:
    """The file behind an embedded name or a path.

    No embedded name has a separator or a suffix, so './moon' and 'moon.png' are always files.
    """
    if text in EMBEDDED:
        return EMBEDDED[text].path
    if os.path.isdir(text):
        raise ValueError(
            f"{text!r} is a folder, not an image; name a file in it, or list it with find_images"
        )
    if not os.path.exists(text):
        raise ValueError(_missing(text))
    # A pipe or a device could block for ever.
    if not os.path.isfile(text):
        raise ValueError(f"{text!r} is not a regular file; give the path of an image file")
    return text


def _missing(text: str) -> str:
    folder, name = os.path.split(text)
    if not os.path.isdir(folder or "."):
        return f"no image file {text!r}: there is no folder {folder!r}; check the path"
    names = _image_names(folder or ".")
    candidates = [os.path.join(folder, n) for n in names] + ([] if folder else list(EMBEDDED))
    nearest = _nearest(text, candidates)
    if folder or _has_image_suffix(name):
        return (
            f"no image file {text!r}: the folder {folder or '.'!r} holds {_some(names)}"
            f"{nearest or '; check the path'}"
        )
    return (
        f"unknown image {text!r}: no such file, and the embedded photographs are "
        f"{', '.join(EMBEDDED)}{nearest or '; give one of these or the path of an image file'}"
    )


def _nearest(asked: str, candidates: Iterable[str]) -> str:
    by_lower = {candidate.lower(): candidate for candidate in candidates}
    found = difflib.get_close_matches(asked.lower(), by_lower, n=1)
    return f"; did you mean {by_lower[found[0]]!r}?" if found else ""


def _some(names: Sequence[str], most: int = 8) -> str:
    shown = ", ".join(repr(name) for name in names[:most]) or "no image"
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more images"


def _has_image_suffix(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def _image_names(folder: str) -> list[str]:
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise ValueError(
            f"cannot list the folder {folder!r} ({error.strerror}); check its permissions"
        ) from error
    # Hidden files are mostly not what their suffix says: macOS leaves '._photo.jpg' beside a copy.
    return [
        name
        for name in names
        if _has_image_suffix(name)
        and not name.startswith(".")
        and os.path.isfile(os.path.join(folder, name))
    ]


def _expand(text: str) -> list[str]:
    if text in EMBEDDED or not os.path.isdir(text):
        _locate(text)
        return [text]
    names = _image_names(text)
    if not names:
        raise ValueError(
            f"the folder {text!r} holds no image; put in a file with one of the suffixes "
            f"{', '.join(sorted(IMAGE_SUFFIXES))} (folders within it are not searched)"
        )
    return [os.path.join(text, name) for name in names]


def find_images(sources: Sequence[Source]) -> tuple[str, ...]:
    """Expands folders into their image files and keeps everything else, in the order given.

    A folder stands for the files directly in it that have an image suffix (``IMAGE_SUFFIXES``) and
    are not hidden, sorted by name. Exact duplicates are dropped.

    Returns paths and embedded names, each of which ``load_image`` takes. Raises ValueError for a
    folder without images, and for a source that is neither a file nor an embedded name.
    """
    return tuple(dict.fromkeys(found for text in _texts(sources) for found in _expand(text)))


# --- From a file to an array ----------------------------------------------------------------------


def _read(file: str | io.BytesIO, shown: str) -> Photograph:
    """The whole image, upright; ``shown`` names it in errors."""
    try:
        image = _decode(file)
    # Given a corrupt file, Pillow's decoders raise whatever they stumble over.
    except Exception as error:
        raise ValueError(_unreadable(shown, error)) from error
    return _rgb(image, shown)


def _decode(file: str | io.BytesIO) -> Image.Image:
    """The first frame, decoded only once its header has shown that it is not huge."""
    with Image.open(file) as image:
        if image.width * image.height > MAX_PIXELS:
            raise Image.DecompressionBombError(f"{image.width * image.height} pixels")
        return ImageOps.exif_transpose(image)


def _unreadable(shown: str, error: Exception) -> str:
    detail = " ".join(str(error).split())
    if isinstance(error, PermissionError):
        return f"{shown} may not be read (permission denied); check the file's permissions"
    if isinstance(error, Image.DecompressionBombError):
        # Pillow's own check comes before the size is ours to read, but it tells the count.
        count = int(next(iter(re.findall(r"\d+", detail)), MAX_PIXELS))
        return (
            f"{shown} is huge: {count:,} pixels, and the limit is {MAX_PIXELS:,}; "
            f"make it smaller before reading it"
        )
    if isinstance(error, UnidentifiedImageError):
        return (
            f"{shown} is not an image that can be read (unknown format, no pixels, or cut off in "
            f"its header); give a PNG, JPEG, WebP, BMP, TIFF or GIF file"
        )
    return f"{shown} is corrupt or truncated ({detail}); fetch or export the file again"


def _rgb(image: Image.Image, shown: str) -> Photograph:
    # Pillow's own conversion of these modes would clip them to 8 bits.
    if image.mode in {"I", "F"} or image.mode.startswith("I;16"):
        grey = _float_grey(image, shown) if image.mode == "F" else _integer_grey(image, shown)
        return np.repeat(grey[..., None], 3, axis=-1)
    if image.has_transparency_data:
        return _over_white(np.asarray(image.convert("RGBA"), np.float32) / np.float32(255))
    return np.asarray(image.convert("RGB"), np.float32) / np.float32(255)


def _over_white(rgba: Photograph) -> Photograph:
    alpha = rgba[..., 3:]
    return rgba[..., :3] * alpha + (1 - alpha)


def _integer_grey(image: Image.Image, shown: str) -> Photograph:
    values = np.asarray(image)
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise ValueError(
            f"{shown} holds integers from {low} to {high}, but grey values are read as 16 bits, "
            f"0 to 65535; rescale it first"
        )
    grey = values.astype(np.float32) / np.float32(65535)
    # A 16-bit grey PNG may name one value as transparent, which is white over white.
    return np.where(values == image.info.get("transparency", -1), np.float32(1), grey)


def _float_grey(image: Image.Image, shown: str) -> Photograph:
    grey = np.asarray(image, np.float32)
    nonfinite = int(np.count_nonzero(~np.isfinite(grey)))
    if nonfinite:
        raise ValueError(
            f"{shown} holds {nonfinite} pixels that are not finite (NaN or infinity); "
            f"replace them first"
        )
    # Less than half an 8-bit step outside is rounding; more is another scale, such as 0 to 255.
    if grey.min() < -1 / 510 or grey.max() > 1 + 1 / 510:
        raise ValueError(
            f"{shown} holds floats from {grey.min():g} to {grey.max():g}, but they are read as "
            f"0 (black) to 1 (white); rescale it first"
        )
    return np.clip(grey, 0, 1)


# --- Resizing -------------------------------------------------------------------------------------


def _resample(
    image: Photograph,
    height: int,
    width: int,
    box: tuple[float, float, float, float] | None = None,
) -> Photograph:
    """Lanczos over ``box`` (left, top, right, bottom; the whole image by default).

    Pillow widens the kernel when it shrinks, which is what keeps fine texture from aliasing. Each
    channel goes through as floats, so that 16-bit photographs keep their precision.
    """
    channels = [
        Image.fromarray(np.ascontiguousarray(image[..., channel])).resize(
            (width, height), Image.Resampling.LANCZOS, box
        )
        for channel in range(3)
    ]
    # Lanczos overshoots beside sharp edges.
    return np.clip(np.stack([np.asarray(c, np.float32) for c in channels], axis=-1), 0, 1)


def _stretch(image: Photograph, height: int, width: int) -> Photograph:
    return _resample(image, height, width)


def _crop(image: Photograph, height: int, width: int) -> Photograph:
    full_height, full_width = image.shape[:2]
    scale = max(height / full_height, width / full_width)
    # Cropping to a fraction of a pixel within the source, rather than after scaling, is exactly
    # centred and never builds the covering image, which could be far larger than either.
    top = max(0.0, (full_height - height / scale) / 2)
    left = max(0.0, (full_width - width / scale) / 2)
    return _resample(image, height, width, (left, top, full_width - left, full_height - top))


def _pad(image: Photograph, height: int, width: int) -> Photograph:
    full_height, full_width = image.shape[:2]
    scale = min(height / full_height, width / full_width)
    inner_height = min(height, max(1, round(full_height * scale)))
    inner_width = min(width, max(1, round(full_width * scale)))
    top, left = (height - inner_height) // 2, (width - inner_width) // 2
    padded = np.full((height, width, 3), _PAD_GREY, np.float32)
    padded[top : top + inner_height, left : left + inner_width] = _resample(
        image, inner_height, inner_width
    )
    return padded


_FITS: dict[str, Callable[[Photograph, int, int], Photograph]] = {
    "crop": _crop,
    "pad": _pad,
    "stretch": _stretch,
}


def _check_fit(fit: str) -> None:
    if fit not in _FITS:
        nearest = _nearest(str(fit), _FITS) or "; give one of these"
        raise ValueError(f"unknown fit {fit!r}: there are {', '.join(_FITS)}{nearest}")


def _height_width(size: Size) -> tuple[int, int]:
    pair = size if isinstance(size, tuple | list) else (size, size)
    try:
        height, width = (operator.index(side) for side in pair)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"size must be an integer or (height, width), not {' '.join(repr(size).split())}"
        ) from error
    if height < 1 or width < 1:
        raise ValueError(f"size must be at least 1 pixel each way, not {height} x {width}")
    if height * width > MAX_PIXELS:
        raise ValueError(
            f"size {height} x {width} is huge: {height * width:,} pixels, and the limit is "
            f"{MAX_PIXELS:,}; ask for a smaller one"
        )
    return height, width


# --- Loading --------------------------------------------------------------------------------------


def load_image(source: Source, size: Size | None = None, *, fit: str = "crop") -> Photograph:
    """Reads one photograph, upright, as float32 ``[H, W, 3]`` in [0, 1].

    ``source`` is an embedded name (a key of ``EMBEDDED``) or the path of a PNG, JPEG, WebP, BMP,
    TIFF or GIF file, or of another that Pillow reads. EXIF orientation is applied, transparency is
    laid over white, grey becomes RGB, and of an animation the first frame is taken. Grey images of
    16 bits and of floats keep their precision; Pillow reads 16-bit colour as 8 bits.

    ``size`` is ``(height, width)``, or one integer for a square; None keeps the image's own size.
    ``fit`` says what gives when the aspect ratios differ:

    - "crop": scaled to cover the size, then cropped about its centre;
    - "pad": scaled to fit within the size, centred between borders of mean grey, 0.5;
    - "stretch": scaled to the size whatever its aspect.

    Resizing is antialiased, and works on the values as stored (not in linear light).

    Raises ValueError, in one line, for an unknown name, a file that is missing, may not be read, is
    not an image, is corrupt, or has more than ``MAX_PIXELS`` pixels, for grey values outside 16
    bits, for floats outside [0, 1] or not finite, and for an invalid ``size`` or ``fit``.
    """
    _check_fit(fit)
    target = None if size is None else _height_width(size)
    text = _text(source)
    with warnings.catch_warnings():
        # What Pillow warns of, corrupt metadata or many pixels, is harmless or checked here.
        warnings.simplefilter("ignore")
        image = _read(_locate(text), repr(text))
    return _fitted(image, target, fit)


def decode_image(
    content: bytes, size: Size | None = None, *, fit: str = "crop", shown: str = "the image"
) -> Photograph:
    """Decodes the bytes of an image file, as ``load_image`` does those of a file; in any thread.

    ``shown`` names the image in errors, which are those of ``load_image``.
    """
    _check_fit(fit)
    target = None if size is None else _height_width(size)
    return _fitted(_read(io.BytesIO(content), shown), target, fit)


def _fitted(image: Photograph, target: tuple[int, int] | None, fit: str) -> Photograph:
    if target is None or target == image.shape[:2]:
        return image
    return _FITS[fit](image, *target)


def _unique_labels(texts: Sequence[str]) -> tuple[str, ...]:
    labels: dict[str, None] = {}
    for text in texts:
        stem = label = text if text in EMBEDDED else Path(text).stem
        copy = 1
        while label in labels:
            copy += 1
            label = f"{stem}-{copy}"
        labels[label] = None
    return tuple(labels)


def load_images(
    sources: Sequence[Source], size: Size | None, *, fit: str = "crop"
) -> tuple[tuple[str, ...], Photograph]:
    """Reads a batch: labels, and float32 ``[B, H, W, 3]`` in [0, 1], in the order of ``sources``.

    A label is the file's stem or the embedded name, and repeated ones become "stem-2", "stem-3"...
    Folders are not expanded (see ``find_images``). ``size`` and ``fit`` are those of
    ``load_image``; ``size`` may be None when all the images have the same size.

    Raises ValueError, in one line, as ``load_image`` does, and for no sources or unequal sizes.
    """
    texts = _texts(sources)
    if not texts:
        raise ValueError("there are no images to load; give a path or an embedded name at least")
    images = [load_image(text, size, fit=fit) for text in texts]
    for text, image in zip(texts, images, strict=True):
        if image.shape != images[0].shape:
            raise ValueError(
                f"{text!r} is {_dimensions(image)} but {texts[0]!r} is {_dimensions(images[0])}; "
                f"give a size to bring them to"
            )
    return _unique_labels(texts), np.stack(images)


def image_labels(sources: Sequence[Source]) -> tuple[str, ...]:
    """The labels that ``load_images`` gives, without reading anything."""
    return _unique_labels(_texts(sources))


def _dimensions(image: npt.NDArray[Any]) -> str:
    return " x ".join(str(side) for side in image.shape[:2])


# --- Writing --------------------------------------------------------------------------------------


def to_uint8(image: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Rounds floats in [0, 1], of any shape, to uint8 0..255: clipped, and half to even.

    Raises ValueError for values that are not finite, and for integers, whose range is not [0, 1].
    """
    values = np.asarray(image)
    if values.dtype.kind in "iu":
        raise ValueError(
            f"expected floats in [0, 1], not {values.dtype} values; divide them by their maximum"
        )
    values = values.astype(np.float64)
    nonfinite = int(np.count_nonzero(~np.isfinite(values)))
    if nonfinite:
        raise ValueError(
            f"{nonfinite} of {values.size} values are not finite (NaN or infinity); "
            f"replace them first"
        )
    rounded: npt.NDArray[np.uint8] = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
    return rounded


def _png(image: npt.ArrayLike) -> bytes:
    pixels = to_uint8(image)
    if pixels.ndim == 3 and pixels.shape[-1] == 1:
        pixels = pixels[..., 0]
    if not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[-1] == 3)) or not pixels.size:
        raise ValueError(
            f"a PNG is written from [H, W, 3], [H, W, 1] or [H, W] with at least one pixel, "
            f"not from shape {pixels.shape}"
        )
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, "PNG")
    return encoded.getvalue()


def save_png(path: Source, image: npt.ArrayLike) -> None:
    """Writes a float image ``[H, W, 3]``, ``[H, W, 1]`` or ``[H, W]`` in [0, 1] as an 8-bit PNG.

    Values are clipped to [0, 1] and rounded (see ``to_uint8``). The file appears whole or not at
    all: a write that fails leaves whatever was there before.

    Raises ValueError, in one line, for another shape, for integers, for values that are not finite,
    for a path that does not end in ".png", and when the file cannot be written.
    """
    text = _text(path)
    folder, name = os.path.split(text)
    if os.path.splitext(name)[1].lower() != ".png":
        raise ValueError(f"a PNG is written, but {text!r} does not end in '.png'; rename it")
    if not os.path.isdir(folder or "."):
        raise ValueError(f"cannot write {text!r}: there is no folder {folder!r}; create it first")
    write_atomically(text, _png(image))
