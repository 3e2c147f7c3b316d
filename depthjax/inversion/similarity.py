"""How like its target a recovered image looks, which its distance does not say.

D is 4 for a grey copy of half the contrast and 4 for noise; whoever looks sees the target in the
first alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import jax
import numpy as np
import scipy
from jaxtyping import Float
from numpy.typing import ArrayLike

from depthjax.images.luminance import luminance
from depthjax.inversion.explained import (
    Picture,
    contrast_explained,
    explained,
    explained_by_octave,
)

_GRADIENT_CONSTANT = 0.0026  # of Xue et al., for luminance from 0 to 1; 170 for 0 to 255
_WANG_WINDOW = 11  # pixels: a Gaussian of σ = 1.5, cut at 3.5 σ
_WANG_CONSTANTS = 0.01**2, 0.03**2  # for luminance from 0 to 1
_SIZE_WEIGHTS = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333])  # of the full size, half of it…

_Places: TypeAlias = Float[np.ndarray, "rows columns"]
"""Where a filter fits into a picture, or its halves."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Similarity:
    """What a recovered image shows of its target; each `[batch]` or `[restarts, batch]`, float64.

    NaN for images that are not finite. Nothing is clipped to [0, 1] before.

    Fields:
        luminance_r2: r², the share of the target's variance of luminance that the best brightness
            and contrast of a_g explain, see `explained.explained`; 0 for a negative.
        luminance_r2_2_4, luminance_r2_4_8, luminance_r2_8_16, luminance_r2_16_32: the same of
            details with periods from 2 to 4 pixels, and so on; NaN where the image is too small.
        contrast_r2: r² of local contrast, see `explained.contrast_explained`.
        gradient_r2, gradient_similarity, gradient_deviation: see `Gradients`.
        ssim: of luminance, see `structural_similarity`.
        ms_ssim: of luminance at several sizes, see `multiscale_similarity`.
        psnr: of all channels, for pixels from 0 to 1, in dB; infinite for equal images.
    """

    luminance_r2: Float[np.ndarray, "*leading"]
    luminance_r2_2_4: Float[np.ndarray, "*leading"]
    luminance_r2_4_8: Float[np.ndarray, "*leading"]
    luminance_r2_8_16: Float[np.ndarray, "*leading"]
    luminance_r2_16_32: Float[np.ndarray, "*leading"]
    contrast_r2: Float[np.ndarray, "*leading"]
    gradient_r2: Float[np.ndarray, "*leading"]
    gradient_similarity: Float[np.ndarray, "*leading"]
    gradient_deviation: Float[np.ndarray, "*leading"]
    ssim: Float[np.ndarray, "*leading"]
    ms_ssim: Float[np.ndarray, "*leading"]
    psnr: Float[np.ndarray, "*leading"]


def similarity(a: ArrayLike, a_g: ArrayLike) -> Similarity:
    """How like their targets recovered images look.

    Args:
        a: targets `[B, H, W, C]` in [0, 1].
        a_g: recovered images, `[B, H, W, C]` or `[restarts, B, H, W, C]`, of any range.
    """

    def of_pair(target: Picture, image: Picture) -> list[float]:
        octaves = explained_by_octave(target, image)
        contrast = contrast_explained(target, image)
        return [explained(target, image), *octaves, contrast, *gradients(target, image)]

    targets, images = np.asarray(a), np.asarray(a_g)
    structure = structural_similarity(targets, images), multiscale_similarity(targets, images)
    last = [*structure, psnr(targets, images)]
    return Similarity(*np.concatenate([_of_each(of_pair, 9, targets, images), last]))


def psnr(
    a: Float[np.ndarray, "b h w c"], a_g: Float[np.ndarray, "*leading h w c"]
) -> Float[np.ndarray, "*leading"]:
    """The peak signal-to-noise ratio in dB, `−10 log₁₀ mean((a_g − a)²)`, of pixels in [0, 1].

    Args:
        a: targets `[B, H, W, C]`.
        a_g: images `[…, B, H, W, C]`.

    Returns:
        `[…, B]`; infinite where both images are equal, NaN where one is not finite.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        squares = np.square(np.asarray(a_g, np.float64) - a).mean((-3, -2, -1))
        return np.where(np.isfinite(squares), -10 * np.log10(squares), np.nan)


class Gradients(NamedTuple):
    """How alike the edges of two images are, whichever of their sides is the bright one.

    Of the magnitudes p and p_g of the gradients of luminance, by Prewitt's filters after halving
    the size, as in Xue, Zhang, Mou & Bovik (2014), "Gradient magnitude similarity deviation".

    Fields:
        r2: the squared correlation of p and p_g, 0 where it is negative: whether edges are at the
            same places, however strong they are. NaN for a target without edges.
        similarity: GMS, the mean of `(2·p·p_g + c) / (p² + p_g² + c)`, c = 0.0026: whether they are
            also as strong. 1 for the target itself, and not near 0 for another picture, for where
            neither has an edge they are alike.
        deviation: GMSD, the standard deviation of the same over the image; 0 for the target itself.
    """

    r2: float
    similarity: float
    deviation: float


def gradients(target: Picture, image: Picture) -> Gradients:
    """How alike the edges of two luminances are; beyond a border its pixels are repeated.

    Args:
        target, image: luminance, of the target in [0, 1]; float64.
    """
    p, p_g = _gradient_magnitude(target), _gradient_magnitude(image)
    alike = (2 * p * p_g + _GRADIENT_CONSTANT) / (p**2 + p_g**2 + _GRADIENT_CONSTANT)
    return Gradients(explained(p, p_g), float(alike.mean()), float(alike.std()))


def _gradient_magnitude(image: Picture) -> Float[np.ndarray, "half_h half_w"]:
    even = np.pad(image, [(0, side % 2) for side in image.shape], mode="edge")
    height, width = even.shape
    half = even.reshape(height // 2, 2, width // 2, 2).mean((1, 3))
    return np.hypot(*(scipy.ndimage.prewitt(half, axis, mode="nearest") / 3 for axis in (0, 1)))


def structural_similarity(a: ArrayLike, a_g: ArrayLike) -> Float[np.ndarray, "*leading"]:
    """SSIM of the luminance of each recovered image with its target's; 1 for equal images.

    With the window of Wang, Bovik, Sheikh & Simoncelli (2004), a Gaussian with a standard deviation
    of 1.5 pixels, their constants for luminance from 0 to 1, and the mean over all places where
    the window of 11×11 pixels fits; of smaller images nearly all places.

    Args:
        a: targets in [0, 1], `[B, H, W, C]`.
        a_g: recovered images, `[B, H, W, C]` or `[restarts, B, H, W, C]`; not clipped to [0, 1].

    Returns:
        `[B]` or `[restarts, B]`, float64, at most 1; NaN for an image that is not finite.
    """
    from skimage import metrics

    side = min(_WANG_WINDOW, *np.shape(a)[1:3])
    window = side - (side + 1) % 2

    def of_pair(target: Picture, image: Picture) -> list[float]:
        wangs = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
        value = metrics.structural_similarity(
            target, image, win_size=window, data_range=1.0, **wangs
        )
        return [value]

    return _of_each(of_pair, 1, a, a_g)[0]


def multiscale_similarity(a: ArrayLike, a_g: ArrayLike) -> Float[np.ndarray, "*leading"]:
    """MS-SSIM of the luminance of each recovered image with its target's; 1 for equal images.

    Of Wang, Simoncelli & Bovik (2003), "Multiscale structural similarity for image quality
    assessment": at five sizes, each half of the one before, contrast and structure, and at the
    smallest also luminance, multiplied with the authors' exponents. A negative factor counts as 0.
    Of images with a side below 176 pixels, in which the window does not fit five times, the sizes
    in which it fits; their exponents are scaled to the same sum.

    Args:
        a: targets in [0, 1], `[B, H, W, C]`.
        a_g: recovered images, `[B, H, W, C]` or `[restarts, B, H, W, C]`; not clipped to [0, 1].

    Returns:
        `[B]` or `[restarts, B]`, float64, from 0 to 1; NaN for an image that is not finite, or
        smaller than the window of 11×11 pixels.
    """
    fits = int(np.log2(max(1, min(np.shape(a)[1:3]) / _WANG_WINDOW))) + 1
    weights = _SIZE_WEIGHTS[:fits] / _SIZE_WEIGHTS[:fits].sum()

    def of_pair(target: Picture, image: Picture) -> list[float]:
        if min(target.shape) < _WANG_WINDOW:
            return [np.nan]
        factors = []
        for _ in weights:
            luminances, structure = _structure(target, image)
            factors.append(structure.mean())
            target, image = _halved(target), _halved(image)
        factors[-1] = (luminances * structure).mean()
        return [float(np.prod(np.maximum(factors, 0) ** weights))]

    return _of_each(of_pair, 1, a, a_g)[0]


def _structure(target: Picture, image: Picture) -> tuple[_Places, _Places]:
    """The two factors of SSIM wherever Wang's window fits: luminance; contrast and structure."""

    def mean(picture: Picture) -> _Places:
        margin = _WANG_WINDOW // 2
        blurred = scipy.ndimage.gaussian_filter(picture, 1.5, truncate=3.5)
        return np.asarray(blurred[margin:-margin, margin:-margin])

    mean_t, mean_i = mean(target), mean(image)
    variances = mean(target**2) - mean_t**2 + mean(image**2) - mean_i**2
    covariance = mean(target * image) - mean_t * mean_i
    first, second = _WANG_CONSTANTS
    luminances = (2 * mean_t * mean_i + first) / (mean_t**2 + mean_i**2 + first)
    return luminances, (2 * covariance + second) / (variances + second)


def _halved(picture: Picture) -> _Places:
    """Means of 2×2 pixels; an odd row or column at the end is left out."""
    height, width = (side // 2 * 2 for side in picture.shape)
    return picture[:height, :width].reshape(height // 2, 2, width // 2, 2).mean((1, 3))


def _of_each(
    of_pair: Callable[[Picture, Picture], list[float]], count: int, a: ArrayLike, a_g: ArrayLike
) -> Float[np.ndarray, "count *leading"]:
    """`count` numbers of each pair of luminances, one pair at a time to spare memory."""
    targets, images = np.asarray(a), np.asarray(a_g)
    bright = [luminance(target) for target in targets]
    values = np.full((count, *images.shape[:-3]), np.nan)
    for at in np.ndindex(images.shape[:-3]):
        image = luminance(images[at])
        if np.isfinite(image).all():
            values[:, *at] = of_pair(bright[at[-1]], image)
    return values


def gradient_energy_ratio(
    a: Float[np.ndarray, "batch h w c"], a_g: Float[np.ndarray, "batch h w c"]
) -> Float[np.ndarray, " batch"]:
    """`Σ|∇a_g|² / Σ|∇a|²` with differences of neighbouring pixels; above 1: rougher than `a`.

    Args:
        a: targets, `[B, H, W, C]`.
        a_g: recovered images, `[B, H, W, C]`.

    Returns:
        `[B]`, float64, at least 0; NaN for an image that is not finite, infinity for a constant
        target.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return _gradient_energy(a_g) / _gradient_energy(a)


def _gradient_energy(images: np.ndarray) -> np.ndarray:
    pixels = images.astype(np.float64)
    return sum(np.square(np.diff(pixels, axis=axis)).sum((1, 2, 3)) for axis in (1, 2))
