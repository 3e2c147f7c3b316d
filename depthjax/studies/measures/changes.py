"""Ways to change a photograph, each known to spare some of what one sees, or all, or nothing."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeAlias

import numpy as np
import scipy
from jaxtyping import Float

from depthjax.images.luminance import luminance

Photograph: TypeAlias = Float[np.ndarray, "h w c"]
Change: TypeAlias = Callable[[Photograph, np.random.Generator], Photograph]


def blurred(image: Photograph, random: np.random.Generator, *, sigma: float | int) -> Photograph:
    """Gaussian blur with a standard deviation in pixels; mirrored at the borders."""
    return scipy.ndimage.gaussian_filter(image, (sigma, sigma, 0), mode="reflect")


def noisy(image: Photograph, random: np.random.Generator, *, std: float | int) -> Photograph:
    """White noise is added, and not clipped."""
    return image + std * random.normal(size=image.shape)


def paler(image: Photograph, random: np.random.Generator) -> Photograph:
    """A quarter of the contrast, and brighter."""
    return 0.6 + 0.25 * image


def hue_turned(image: Photograph, random: np.random.Generator) -> Photograph:
    """Every colour becomes its complement, at the same luminance."""
    return 2 * luminance(image)[..., None] - image


def shifted(image: Photograph, random: np.random.Generator, *, pixels: int) -> Photograph:
    """Moved to the right; what leaves comes in again at the left."""
    return np.roll(image, pixels, axis=1)


def edges(image: Photograph, random: np.random.Generator) -> Photograph:
    """Only what blurring by 4 pixels takes away: edges with a light and a dark side, on grey."""
    return 0.5 + image - blurred(image, random, sigma=4)


def line_drawing(image: Photograph, random: np.random.Generator) -> Photograph:
    """Dark lines on white where luminance changes, whichever side is the bright one."""
    strength = scipy.ndimage.gaussian_gradient_magnitude(luminance(image), 1)
    drawn = 1 - strength / max(strength.max(), np.finfo(np.float64).tiny)
    return np.repeat(drawn[..., None], image.shape[-1], axis=-1)


def negative(image: Photograph, random: np.random.Generator) -> Photograph:
    """Dark is light and light is dark."""
    return 1 - image


def phases_scrambled(image: Photograph, random: np.random.Generator) -> Photograph:
    """Random phases of all frequencies; the power spectrum and the mean colour are kept."""
    phases = np.angle(np.fft.fft2(random.normal(size=image.shape[:2])))
    turned = np.fft.fft2(image, axes=(0, 1)) * np.exp(1j * phases)[..., None]
    turned[0, 0] = image.sum((0, 1))
    return np.fft.ifft2(turned, axes=(0, 1)).real


def noise_alone(image: Photograph, random: np.random.Generator) -> Photograph:
    """White noise with the mean and standard deviation of the photograph."""
    return image.mean() + image.std() * random.normal(size=image.shape)


CHANGES: Mapping[str, Change] = {
    "blur, σ = 1": partial(blurred, sigma=1),
    "blur, σ = 4": partial(blurred, sigma=4),
    "blur, σ = 8": partial(blurred, sigma=8),
    "noise of 0.1": partial(noisy, std=0.1),
    "noise of 0.3": partial(noisy, std=0.3),
    "noise of 1": partial(noisy, std=1),
    "paler": paler,
    "hue turned": hue_turned,
    "edges": edges,
    "line drawing": line_drawing,
    "negative": negative,
    "shifted by 2": partial(shifted, pixels=2),
    "shifted by 8": partial(shifted, pixels=8),
    "phases scrambled": phases_scrambled,
    "noise alone": noise_alone,
}
"""By name, from what leaves the picture easy to see to what leaves nothing of it."""

ANOTHER = "another photograph"
"""The name of what is no change: the next photograph in the place of this one."""


def changed(
    photographs: Float[np.ndarray, "b h w c"], seed: int = 0
) -> dict[str, Float[np.ndarray, "b h w c"]]:
    """All photographs after each of `CHANGES`, and `ANOTHER` if there are several; float64.

    Args:
        photographs: in [0, 1].
        seed: of noise and phases.
    """
    targets = np.asarray(photographs, np.float64)
    results = {}
    for name, change in CHANGES.items():
        random = np.random.default_rng(seed)
        results[name] = np.stack([change(target, random) for target in targets])
    if len(targets) > 1:
        results[ANOTHER] = np.roll(targets, 1, axis=0)
    return results
