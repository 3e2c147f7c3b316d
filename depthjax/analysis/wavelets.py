"""How much of a filter is a wavelet: the best Gabor function in place of it.

Filters of the first layer of networks that were trained on photographs are known to look like Gabor
functions: a wave within a bell (Krizhevsky et al. 2012, "ImageNet classification with deep
convolutional neural networks"). Claim C17 of our list asks for it in numbers.
"""

from typing import NamedTuple

import numpy as np
import scipy
from jaxtyping import Float

from depthjax.analysis.filters import Kernel

LEAST_SIDE = 5
"""Smaller filters have too few weights to tell a wavelet from anything else."""

_REFINED = 3
"""So many of the best functions of the grid are improved by a descent."""


class _Grid(NamedTuple):
    """Gabor functions to begin with: `[functions, 6]` and their values, orthonormal pairs."""

    parameters: Float[np.ndarray, "functions 6"]
    pairs: Float[np.ndarray, "functions pixels 2"]


def wavelet_share(kernel: Kernel) -> Float[np.ndarray, " outputs"]:
    """The share of each output channel's filter that the best Gabor function explains.

    A channel's filter is the picture that its input channels share most: the first singular vector
    over inputs. Both it and the Gabor function exp(−x'²/2s² − y'²/2t²) cos(2πfx' + φ), with any
    centre, direction, phase, and sides s and t, have their mean taken off. The share is 1 minus the
    squared distance to the best multiple of the function over the filter's own square (R²).
    Eight numbers explain much of a few random weights, too: compare with shuffled or untrained
    filters of the same size.

    Args:
        kernel: `[height, width, inputs, outputs]`, from `depthjax.analysis.filters.kernel_of`.

    Returns:
        `[outputs]`, each from 0 to 1; NaN for filters that are constant.

    Raises:
        ValueError: for filters that are not square or have sides below `LEAST_SIDE`, and for
            weights that are not finite.
    """
    height, width = kernel.shape[:2]
    if height != width or height < LEAST_SIDE:
        raise ValueError(
            f"{height}×{width} filters are too small for wavelets; choose a convolution with square"
            f" filters of {LEAST_SIDE}×{LEAST_SIDE} or more"
        )
    if not np.isfinite(kernel).all():
        raise ValueError("the filters hold values that are not finite")
    filters = _shared_pictures(np.asarray(kernel, np.float64))
    grid = _grid(height)
    return np.array([_explained(each, grid, height) for each in filters])


def _shared_pictures(kernel: Kernel) -> Float[np.ndarray, "outputs pixels"]:
    """What the input channels of each output share most, without its mean, of length 1 or 0."""
    pictures = []
    for filters in np.moveaxis(kernel, 3, 0):
        each = filters.reshape(-1, filters.shape[-1])
        each = each - each.mean(0)
        left, values, _ = np.linalg.svd(each, full_matrices=False)
        pictures.append(left[:, 0] if values[0] > 1e-12 * np.abs(filters).max() else 0 * each[:, 0])
    return np.array(pictures)


def _pair(parameters: Float[np.ndarray, " 6"], side: int) -> Float[np.ndarray, "pixels 2"]:
    """Both phases of a Gabor function without their means, orthonormal.

    Args:
        parameters: centre (row, column), direction in radians, frequency in cycles per pixel, and
            the logarithms of both standard deviations in pixels.
        side: of the filter, in pixels.
    """
    row, column, angle, frequency, along, across = parameters
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    turned = (x - column) * np.cos(angle) + (y - row) * np.sin(angle)
    other = (y - row) * np.cos(angle) - (x - column) * np.sin(angle)
    bell = np.exp(-0.5 * ((turned / np.exp(along)) ** 2 + (other / np.exp(across)) ** 2))
    waves = bell * np.exp(2j * np.pi * frequency * turned)
    both = np.stack([waves.real.ravel(), waves.imag.ravel()], axis=1)
    return np.linalg.qr(both - both.mean(0))[0]


def _grid(side: int) -> _Grid:
    """Functions all over a filter: the frequencies have half a period in it or more."""
    centres = np.array([-1.0, 0.0, 1.0]) * side / 5
    axes = (
        *(centres, centres, np.arange(8) * np.pi / 8, np.linspace(0.5 / side, 0.45, 5)),
        *(np.log(side * np.array([0.15, 0.3])), np.log(side * np.array([0.15, 0.3]))),
    )
    parameters = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 6)
    return _Grid(parameters, np.array([_pair(each, side) for each in parameters]))


def _explained(picture: Float[np.ndarray, " pixels"], grid: _Grid, side: int) -> float:
    """R² of the best function: from the best of the grid on, by least squares."""
    if not picture.any():
        return float("nan")
    found = np.square(np.einsum("fpk,p->fk", grid.pairs, picture)).sum(1)
    half = side / 2
    low = np.array([-half, -half, -np.inf, 0.5 / side, np.log(0.5), np.log(0.5)])
    high = np.array([half, half, np.inf, 0.5, np.log(side), np.log(side)])

    def rest(parameters: Float[np.ndarray, " 6"]) -> Float[np.ndarray, " pixels"]:
        pair = _pair(parameters, side)
        return picture - pair @ (pair.T @ picture)

    best = 0.0
    for index in np.argsort(-found, kind="stable")[:_REFINED]:
        start = np.clip(grid.parameters[index], low, high)
        fitted = scipy.optimize.least_squares(rest, start, bounds=(low, high), max_nfev=60)
        best = max(best, 1.0 - 2.0 * float(fitted.cost))
    return best
