"""Floats to 8 bits, and to PNG files."""

from __future__ import annotations

import io
import os

import numpy as np
import numpy.typing as npt
from PIL import Image

from depthjax.files import write_atomically
from depthjax.images.sources import Source, as_text


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
    """Writes a float image `[H, W, 3]`, `[H, W, 1]` or `[H, W]` in [0, 1] as an 8-bit PNG.

    Values are clipped to [0, 1] and rounded (see `to_uint8`). The file appears whole or not at
    all: a write that fails leaves whatever was there before.

    Raises ValueError, in one line, for another shape, for integers, for values that are not finite,
    for a path that does not end in ".png", and when the file cannot be written.
    """
    text = as_text(path)
    folder, name = os.path.split(text)
    if os.path.splitext(name)[1].lower() != ".png":
        raise ValueError(f"a PNG is written, but {text!r} does not end in '.png'; rename it")
    if not os.path.isdir(folder or "."):
        raise ValueError(f"cannot write {text!r}: there is no folder {folder!r}; create it first")
    write_atomically(text, _png(image))
