"""How much of one picture another one explains, over all and by the size of details.

What brightness and contrast can mend does not count: whoever looks at a pale copy sees the picture.
"""

from functools import lru_cache

import numpy as np
import scipy
from jaxtyping import Float

Picture = Float[np.ndarray, "h w"]

OCTAVES = ((2, 4), (4, 8), (8, 16), (16, 32))
"""Shortest and longest periods of the bands, in pixels; a period is a light and a dark stripe."""


def explained(target: Picture, image: Picture) -> float:
    """r²: the share of the target's variance that `α + β·image` explains at best, with β ≥ 0.

    This is the squared correlation, and 0 where the correlation is negative: a negative is not the
    picture. It is 1 for the target itself at any brightness and contrast, and near 0 for another
    picture.

    Args:
        target, image: finite, of any range.

    Returns:
        From 0 to 1; NaN for a target that does not vary by more than rounding.
    """
    known, seen = target - target.mean(), image - image.mean()
    pairs = np.stack([known * seen, known**2, seen**2]).sum((1, 2))
    return float(_shares(pairs[:, None], _rounding(target), _rounding(image))[0])


def explained_by_octave(target: Picture, image: Picture) -> Float[np.ndarray, "octaves"]:
    """`explained` in each of `OCTAVES`, with a contrast of its own in each.

    The bands are parts of the pictures' cosine transforms (DCT-II), that is, of the pictures
    mirrored at their borders. So all pixels count alike, and there is no jump at a border that
    would leak into the fine bands. The share of a frequency in a band from period p to 2p is
    `cos²(π·t/2)` at t octaves from the band's middle, and 0 from one octave on; it is 1/2 at p and
    at 2p. So the shares of neighbouring bands add up to 1, and the variance of a picture is the
    sum of its bands'. Filters as wide as that hardly ring (they are those of the steerable pyramid,
    Simoncelli & Freeman 1995).

    Args:
        target, image: as there.

    Returns:
        NaN also for octaves with longer periods than the picture's shorter side.
    """
    weights = _weights(*target.shape)
    known, seen = (scipy.fft.dctn(picture, norm="ortho").ravel() for picture in (target, image))
    pairs = np.stack([known * seen, known**2, seen**2]) @ weights.T
    shares = _shares(pairs, _rounding(target), _rounding(image))
    longest = np.array([long for _, long in OCTAVES])
    return np.where(longest <= min(target.shape), shares, np.nan)


def contrast_explained(target: Picture, image: Picture) -> float:
    """`explained` of local contrast: whether details are at the same places, within some pixels.

    Local contrast is `|G₀.₇ ∗ x − G₁.₄ ∗ x|`, the magnitude of a difference of Gaussians that holds
    details of about 3 to 10 pixels, blurred by a Gaussian of 1.5 pixels (all σ; pictures are
    mirrored at their borders). A descent often puts an edge one or two pixels beside its place, or
    turns its dark side bright; pixels then do not correlate, but where contrast is still does.

    The widths were chosen after two photographs recovered from one network had been looked at.

    Args:
        target, image: as for `explained`.

    Returns:
        From 0 to 1; NaN for a target without details.
    """
    return explained(_local_contrast(target), _local_contrast(image))


def _local_contrast(picture: Picture) -> Picture:
    fine, coarse = (
        scipy.ndimage.gaussian_filter(picture, sigma, mode="reflect") for sigma in (0.7, 1.4)
    )
    return scipy.ndimage.gaussian_filter(np.abs(fine - coarse), 1.5, mode="reflect")


def _shares(
    pairs: Float[np.ndarray, "3 bands"], target_rounding: float, image_rounding: float
) -> Float[np.ndarray, "bands"]:
    """r² of bands; sums of squares below those of rounding errors count as nothing.

    Args:
        pairs: sums of target × image, target², image².
        target_rounding, image_rounding: from `_rounding`.
    """
    shared, known, seen = pairs
    has_target, has_image = known > target_rounding, seen > image_rounding
    share = np.full(len(known), np.nan)
    share[has_target] = 0
    both = has_target & has_image
    correlation = shared[both] / np.sqrt(known[both] * seen[both])
    share[both] = np.clip(correlation, 0, 1) ** 2
    return share


def _rounding(picture: Picture) -> float:
    """The sum of squares below which a band holds nothing but errors of float32 arithmetic."""
    return picture.size * float(np.finfo(np.float32).eps * np.abs(picture).max()) ** 2


@lru_cache(maxsize=2)
def _weights(height: int, width: int) -> Float[np.ndarray, "octaves pixels"]:
    """The share of each coefficient of a cosine transform in each band; the mean is in none."""
    down, across = np.arange(height) / (2 * height), np.arange(width) / (2 * width)
    frequency = np.hypot(down[:, None], across).ravel()
    octave = -np.log2(np.maximum(frequency, 1e-9))  # of the period
    middles = np.array([np.log2(short * long) / 2 for short, long in OCTAVES])
    distance = np.abs(octave - middles[:, None])
    return np.where(distance < 1, np.cos(np.pi / 2 * distance) ** 2, 0)
