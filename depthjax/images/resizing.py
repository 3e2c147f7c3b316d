"""Brings images to a size: cropped, padded or stretched, without aliasing."""

import operator
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image

from depthjax.errors import one_of

Photograph = npt.NDArray[np.float32]

Size = int | tuple[int, int]

MAX_PIXELS = 100_000_000
"""Largest number of pixels of an image; its floats then take 1.2 GB."""

_PAD_GREY = 0.5


def check_fit(fit: str) -> None:
    """Refuses an unknown fit.

    Raises:
        ValueError: unless `fit` is "crop", "pad" or "stretch".
    """
    one_of("fit", str(fit), _FITS)


def height_width(size: Size) -> tuple[int, int]:
    """A size as height and width in pixels.

    Raises:
        ValueError: for anything but one or two positive integers, and for more than `MAX_PIXELS`.
    """
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


def resize(image: Photograph, target: tuple[int, int] | None, fit: str) -> Photograph:
    """The image at a target size.

    Args:
        image: `[H, W, 3]`.
        target: height and width in pixels; None leaves the image as it is.
        fit: "crop", "pad" or "stretch"; see `depthjax.images.load_image`.
    """
    if target is None or target == image.shape[:2]:
        return image
    return _FITS[fit](image, *target)


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


def _resample(
    image: Photograph,
    height: int,
    width: int,
    box: tuple[float, float, float, float] | None = None,
) -> Photograph:
    """The image, or the part of it in a box, resized by Lanczos' filter.

    Pillow widens the filter when an image shrinks, so that fine texture does not alias. Each
    channel is resized as floats, so that 16-bit photographs keep their precision.

    Args:
        image: `[H, W, 3]`.
        height, width: of the result.
        box: left, top, right and bottom of the part, in pixels; None for the whole image.
    """
    channels = [
        Image.fromarray(np.ascontiguousarray(image[..., channel])).resize(
            (width, height), Image.Resampling.LANCZOS, box
        )
        for channel in range(3)
    ]
    # Lanczos' filter overshoots beside sharp edges.
    return np.clip(np.stack([np.asarray(c, np.float32) for c in channels], axis=-1), 0, 1)
