"""Radial power spectra of images: 1/frequency² for photographs, flat for white noise.

Field (1987), "Relations between the statistics of natural images and the response properties of
cortical cells"; Ruderman (1994), "The statistics of natural images".
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

_FLOOR = 1e-12  # times the mean power; smaller powers are rounding errors


class RadialSpectrum(NamedTuple):
    """The power of B images at rings around zero frequency.

    Fields:
        frequency: in cycles per pixel, ascending, above 0 and at most 1/2, `[rings]`.
        power: mean over channels, `[B, rings]`, float64. White noise of variance v has power v,
            except at the lowest frequency, where removing the mean takes away a third.
    """

    frequency: Float[np.ndarray, " rings"]
    power: Float[np.ndarray, "batch rings"]


def radial_power_spectrum(images: ArrayLike) -> RadialSpectrum:
    """The power spectrum of each image, averaged over rings one cycle per image wide.

    `|F(w·(a − mean))|² / Σw²` with a Hann window `w` and the mean weighted by `w`. Without a window
    the jump between opposite borders would give every smooth image a spectrum of 1/frequency².
    Frequencies above half a cycle per pixel, in the corners, are left out.

    Args:
        images: `[B, H, W, C]`, at least 8×8; floats of any range, or uint8.

    Raises:
        ValueError: for other shapes, for smaller images, and for values that are not finite.
    """
    pixels = _checked(images)
    height, width = pixels.shape[1:3]
    window = np.outer(np.hanning(height + 1)[:-1], np.hanning(width + 1)[:-1])[..., None]
    centred = pixels - (window * pixels).sum((1, 2), keepdims=True) / window.sum()
    # A constant image must not get a spectrum of rounding errors.
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


def spectral_distance(images: ArrayLike, references: ArrayLike) -> Float[np.ndarray, " batch"]:
    """How far spectra of images are from the mean spectrum of references, whatever the contrast.

    The root mean square over the rings of the difference in log₁₀ power. Each spectrum is first
    divided by its mean; the logarithms of the references are averaged. A distance of 1 means a
    factor of 10 in power. A reference itself has a distance above 0: how far it is from the mean.

    Args:
        images: `[B, H, W, C]`, as in `radial_power_spectrum`.
        references: `[R, H, W, C]`, of the same height and width.

    Returns:
        `[B]`; NaN for a constant image, which has no spectrum.

    Raises:
        ValueError: as `radial_power_spectrum`; for references of another size, and for constant
            ones.
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
    """Power over its mean, above 0 so that it has a logarithm; NaN for a constant image."""
    power = radial_power_spectrum(images).power
    mean = power.mean(1, keepdims=True)
    floored = np.where(mean > 0, np.maximum(power, _FLOOR * mean), np.nan)
    return floored / floored.mean(1, keepdims=True)


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
