"""Writes floats as 8-bit values and as PNG files."""

import io
import os

import numpy as np
import numpy.typing as npt
from PIL import Image

from depthjax.files import write_atomically
from depthjax.images.sources import Source, as_text


def to_uint8(image: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Floats in [0, 1] as uint8 0..255: clipped, then rounded, halves to even.

    Args:
        image: floats of any shape.

    Raises:
        ValueError: for integers, whose range is another, and for values that are not finite.
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
            "replace them first"
        )
    rounded: npt.NDArray[np.uint8] = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
    return rounded


def _png(image: npt.ArrayLike) -> bytes:
    pixels = to_uint8(image)
    if pixels.ndim == 3 and pixels.shape[-1] == 1:
        pixels = pixels[..., 0]
    if not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[-1] == 3)) or not pixels.size:
        raise ValueError(
            "a PNG is written from [H, W, 3], [H, W, 1] or [H, W] with at least one pixel, "
            f"not from shape {pixels.shape}"
        )
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()


def save_png(path: Source, image: npt.ArrayLike) -> None:
    """Writes an image as an 8-bit PNG; values are clipped and rounded as by `to_uint8`.

    The file appears whole or not at all: if writing fails, an earlier file stays.

    Args:
        path: must end in ".png".
        image: floats in [0, 1], `[H, W, 3]`, `[H, W, 1]` or `[H, W]`.

    Raises:
        ValueError: for another shape, for integers, for values that are not finite, for another
            suffix, and if the file cannot be written.
    """
    text = as_text(path)
    folder, name = os.path.split(text)
    if os.path.splitext(name)[1].lower() != ".png":
        raise ValueError(f"a PNG is written, but {text!r} does not end in '.png'; rename it")
    if not os.path.isdir(folder or "."):
        raise ValueError(f"cannot write {text!r}: there is no folder {folder!r}; create it first")
    write_atomically(text, _png(image))
