"""A lower bound on all singular values of a convolution that pads with zeros, by factorisation."""

from itertools import product

import numpy as np
import scipy.linalg
from jaxtyping import Float
from numpy.typing import ArrayLike

from depthjax.devices.memory import require
from depthjax.ops.geometry import Pair

_FLOAT64 = 8


def conv_values_exceed(
    kernel: ArrayLike,
    size: Pair,
    bound: float,
    *,
    strides: Pair = (1, 1),
    padding: tuple[Pair, Pair] = ((0, 0), (0, 0)),
) -> bool:
    """Whether all n singular values of a convolution exceed a bound; n is the number of its inputs.

    They do exactly if JᵀJ − bound²·I has a Cholesky factor. Krylov methods only ever bound the
    smallest singular value from above; this bounds it from below. Bounds that the rounding of
    float64 could decide are never exceeded. Two pixels meet in JᵀJ only if a window covers both, so
    that groups of rows form a block tridiagonal matrix, of which three blocks are held at once.

    Args:
        kernel: `[height, width, inputs, outputs]`, as in Flax, without groups or dilation.
        size: height and width of the input.
        bound: of the singular values, above 0.
        strides: down and across.
        padding: zeros before and after, down and across.

    Raises:
        ValueError: for a kernel with other axes or with values that are not finite, and for a bound
            of 0 or less.
        NoRoom: if the blocks do not fit into memory: they grow with the square of kernel rows ×
            image columns × channels.
    """
    weights = np.asarray(kernel, np.float64)
    if weights.ndim != 4 or not np.isfinite(weights).all() or not bound > 0:
        raise ValueError(
            "a finite kernel [height, width, inputs, outputs] and a bound above 0 are needed,"
            f" got {weights.shape} and {bound}"
        )
    (taps, _, channels, _), (rows, columns) = weights.shape, size
    height = max(1, taps - 1)  # rows that are farther apart share no window
    across, side = columns * channels, height * columns * channels
    blocks = _FLOAT64 * (taps**2 * across**2 + 4 * side**2)
    require("the proof for this convolution", blocks, "take smaller images")
    # Σ ‖tap‖ bounds ‖J‖: each tap by itself is one matrix at every position.
    norm = np.linalg.norm(weights, 2, axis=(2, 3)).sum()
    if bound**2 <= 10 * side * np.finfo(float).eps * norm**2:
        return False
    windows = _windows(rows, taps, strides[0], padding[0])
    products = _products_across(weights, columns, strides[1], padding[1])

    def block(of: range, to: range) -> Float[np.ndarray, "a b"]:
        """JᵀJ between two groups of rows."""
        found = np.zeros((len(of), across, len(to), across))
        for (i, row), (j, other) in product(enumerate(of), enumerate(to)):
            for first in windows:
                if 0 <= row - first < taps and 0 <= other - first < taps:
                    found[i, :, j] += products[row - first, other - first]
        return found.reshape(len(of) * across, len(to) * across)

    groups = [range(top, min(top + height, rows)) for top in range(0, rows, height)]
    above = None  # the factor of the group before, and that group
    for group in groups:
        left = block(group, group)
        left.flat[:: len(left) + 1] -= bound**2
        if above is not None:
            factor, before = above
            carried = scipy.linalg.solve_triangular(factor, block(before, group), lower=True)
            left -= carried.T @ carried
        try:
            above = np.linalg.cholesky(left), group
        except np.linalg.LinAlgError:
            return False
    return True


def _windows(side: int, taps: int, stride: int, padding: Pair) -> range:
    """Where the windows along an axis begin."""
    return range(-padding[0], side + padding[1] - taps + 1, stride)


def _products_across(
    weights: Float[np.ndarray, "height width inputs outputs"],
    side: int,
    stride: int,
    padding: Pair,
) -> Float[np.ndarray, "height height columns columns"]:
    """AᵀB for each two rows of the kernel; A and B are their convolutions along a row of pixels."""
    height, width, inputs, outputs = weights.shape
    windows = _windows(side, width, stride, padding)
    maps = np.zeros((height, len(windows), outputs, side, inputs))
    for window, first in enumerate(windows):
        for tap in range(max(0, -first), min(width, side - first)):
            maps[:, window, :, first + tap] = weights[:, tap].swapaxes(1, 2)
    flat = maps.reshape(height, len(windows) * outputs, side * inputs)
    return np.stack([np.stack([a.T @ b for b in flat]) for a in flat])
