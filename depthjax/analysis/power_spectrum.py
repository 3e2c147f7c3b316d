"""Radial power spectra: photographs fall as 1/frequency², noise is flat.

Field (1987), "Relations between the statistics of natural images and the response properties of
cortical cells"; Ruderman (1994), "The statistics of natural images".
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

_LOWEST = 2  # cycles per image: below, the window mixes in the mean, which was removed
_FLOOR = 1e-12  # of the mean power: below are rounding errors


class RadialSpectrum(NamedTuple):
    """The power of images at every distance from zero frequency.

    Fields:
        frequency: cycles per pixel, ascending, above 0 and at most 1/2.
        power: of each image, mean over its channels; white noise of variance v has v everywhere
            but at the lowest frequency, where the mean that was removed takes a third of it.
    """

    frequency: Float[np.ndarray, " rings"]
    power: Float[np.ndarray, "batch rings"]


def radial_power_spectrum(images: ArrayLike) -> RadialSpectrum:
    """Each image's power spectrum, averaged over rings of frequencies one cycle per image wide.

    `|F(w·(a − mean))|² / Σw²` with a Hann window `w` and the mean as `w` weighs it. Without a
    window the jump from one border to the opposite one would give any smooth picture a spectrum
    of 1/frequency². Corners, of more than half a cycle per pixel, are left out.

    Args:
        images: `[B, H, W, C]`, at least 8×8; any range, or uint8.

    Raises:
        ValueError: for other shapes, smaller images, and values that are not finite.
    """
    pixels = _checked(images)
    height, width = pixels.shape[1:3]
    window = np.outer(np.hanning(height + 1)[:-1], np.hanning(width + 1)[:-1])[..., None]
    centred = pixels - (window * pixels).sum((1, 2), keepdims=True) / window.sum()
    # What rounding leaves of a constant image is no spectrum.
    rounding = 1e-12 * np.abs(pixels).max((1, 2, 3), keepdims=True)
    centred = np.where(np.abs(centred) > rounding, centred, 0)
    transform = np.fft.fft2(window * centred, axes=(1, 2))
    power = (np.abs(transform) ** 2).mean(-1) / np.square(window).sum()
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width))
    side = min(height, width)
    ring = np.rint(radius * side).astype(int)
    count = side // 2
    inside = (ring > 0) & (ring <= count) & (radius < 0.5 + 1e-9)
    member = np.stack([ring[inside] == number for number in range(1, count + 1)])
    mean = member / member.sum(1, keepdims=True)
    return RadialSpectrum(mean @ radius[inside], power[:, inside] @ mean.T)


def spectral_slope(images: ArrayLike) -> Float[np.ndarray, " batch"]:
    """How power falls with frequency: the slope of log power on log frequency.

    White noise has 0, noise of amplitude 1/frequency −2, photographs about −2. A straight line by
    least squares through the rings from two cycles per image on.

    Args:
        images: as in `radial_power_spectrum`.

    Returns:
        One slope for each image; NaN for a constant one.

    Raises:
        ValueError: as `radial_power_spectrum`.
    """
    frequency, power = radial_power_spectrum(images)
    x = np.log(frequency[_LOWEST - 1 :])
    x = x - x.mean()
    return np.log(_floored(power))[:, _LOWEST - 1 :] @ x / (x @ x)


def spectral_distance(images: ArrayLike, references: ArrayLike) -> Float[np.ndarray, " batch"]:
    """How unlike the spectra of images are to those of references, whatever their contrast.

    The root mean square over the rings of the difference in log₁₀ power: each spectrum is divided
    by its mean, and the references' logarithms are averaged. A distance of 1 is a factor of 10 in
    power. Images that are themselves such references lie at their own scatter, not at 0.

    Args:
        images: `[B, H, W, C]`, as in `radial_power_spectrum`.
        references: `[R, H, W, C]`, of the same height and width.

    Returns:
        One distance for each image; NaN for a constant one, which has no spectrum.

    Raises:
        ValueError: as `radial_power_spectrum`; for references of another size, or constant ones.
    """
    shape, other = np.shape(images), np.shape(references)
    if shape[1:3] != other[1:3]:
        raise ValueError(
            f"images {shape} and references {other} differ in height or width, so their"
            " frequencies differ; bring them to one size"
        )
    expected = np.log10(_relative(references)).mean(0)
    if np.isnan(expected).any():
        raise ValueError("a reference is constant and has no spectrum; leave it out")
    return np.sqrt(np.square(np.log10(_relative(images)) - expected).mean(1))


def _relative(images: ArrayLike) -> Float[np.ndarray, "batch rings"]:
    power = _floored(radial_power_spectrum(images).power)
    return power / power.mean(1, keepdims=True)


def _floored(power: Float[np.ndarray, "batch rings"]) -> Float[np.ndarray, "batch rings"]:
    """With something to take logarithms of in every ring; NaN where an image has no power."""
    mean = power.mean(1, keepdims=True)
    return np.where(mean > 0, np.maximum(power, _FLOOR * mean), np.nan)


def _checked(images: ArrayLike) -> Float[np.ndarray, "batch height width channels"]:
    pixels = np.asarray(images)
    if pixels.ndim != 4 or 0 in pixels.shape or min(pixels.shape[1:3]) < 8:
        raise ValueError(
            f"a spectrum is taken of images [batch, height, width, channels] of 8×8 or more, not of"
            f" shape {pixels.shape}"
        )
    pixels = pixels.astype(np.float64)
    if not np.isfinite(pixels).all():
        raise ValueError("the images hold values that are not finite and have no spectrum")
    return pixels
