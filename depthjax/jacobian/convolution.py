"""All singular values of a single convolution with circular padding."""

from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

_NUMBERS = 2**22
"""How many complex numbers are held in memory at once."""


def conv_singular_values(
    kernel: ArrayLike, size: tuple[int, int], *, stride: int = 1, groups: int = 1
) -> Float[np.ndarray, " r"]:
    """The singular values of a strided circular convolution, in descending order, float64.

    The Fourier transform makes the convolution block diagonal. Each frequency of the output has one
    block `[outputs, stride² · inputs]`: it depends on the stride² frequencies of the input that are
    aliased to it (Sedghi, Gupta & Long 2019, for stride 1). Networks pad with zeros instead, which
    changes the values by some percent.

    Args:
        kernel: `[height, width, inputs / groups, outputs]`, as in Flax.
        size: height and width of the input.
        stride: in both directions; it must divide the size.
        groups: of channels, as in `jax.lax.conv_general_dilated`.

    Returns:
        `[min(outputs · H/s · W/s, inputs · H · W)]`.

    Raises:
        ValueError: for a kernel with other axes or with values that are not finite, for a stride
            that does not divide the size, and for groups that do not divide the outputs.
    """
    weights = np.asarray(kernel, np.float64)
    if weights.ndim != 4 or not np.isfinite(weights).all():
        raise ValueError(
            "the kernel must be finite, [height, width, inputs, outputs], got"
            f" {weights.shape}{'' if np.isfinite(weights).all() else ' with NaN or infinity'}"
        )
    if stride < 1 or any(side < 1 or side % stride for side in size):
        raise ValueError(
            f"a stride of {stride} does not divide {size[0]}×{size[1]} positions, so the"
            " convolution cannot wrap around; choose sides that are multiples of it"
        )
    if groups < 1 or weights.shape[3] % groups:
        raise ValueError(f"{groups} groups do not divide {weights.shape[3]} outputs")
    of_groups = [
        _group_singular_values(part, size, stride) for part in np.split(weights, groups, axis=3)
    ]
    values = np.sort(np.concatenate(of_groups))[::-1]
    inputs = weights.shape[2] * groups
    outputs = weights.shape[3] * (size[0] // stride) * (size[1] // stride)
    return _padded(values, min(outputs, inputs * size[0] * size[1]))


def _group_singular_values(weights: np.ndarray, size: tuple[int, int], stride: int) -> np.ndarray:
    height, width, inputs, outputs = weights.shape
    coarse = [np.arange(side // stride) for side in size]
    u, v = (axis.ravel() for axis in np.meshgrid(*coarse, indexing="ij"))
    flat = weights.reshape(height * width, inputs * outputs)
    rows: list[Any] = []
    together = max(1, _NUMBERS // (stride**2 * inputs * outputs))
    for first in range(0, len(u), together):
        here = slice(first, first + together)
        folded = []
        for a in range(stride):
            for b in range(stride):
                down = _waves(u[here] + a * size[0] // stride, height, size[0])
                across = _waves(v[here] + b * size[1] // stride, width, size[1])
                phases = (down[:, :, None] * across[:, None]).reshape(len(down), -1)
                folded.append((phases @ flat).reshape(-1, inputs, outputs) / stride)
        rows.append(np.linalg.svd(np.concatenate(folded, 1), compute_uv=False).ravel())
    return np.concatenate(rows)


def _waves(frequency: np.ndarray, taps: int, side: int) -> np.ndarray:
    return np.exp(2j * np.pi * frequency[:, None] * np.arange(taps) / side)


def _padded(values: np.ndarray, count: int) -> np.ndarray:
    """The `count` largest values, with zeros where there are fewer; ranks of groups may differ."""
    return np.concatenate([values, np.zeros(max(0, count - len(values)))])[:count]
