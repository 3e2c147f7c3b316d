"""All singular values of a convolution on its own, where it wraps around the image's edges."""

from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

_NUMBERS = 2**22
"""Complex numbers held at once."""


def conv_singular_values(
    kernel: ArrayLike, size: tuple[int, int], *, stride: int = 1, groups: int = 1
) -> Float[np.ndarray, " r"]:
    """The singular values of a strided circular convolution, descending, in float64.

    Fourier's transform makes it block diagonal: at each frequency of the output meet the stride²
    frequencies of the input that fold onto it, in a block of `[outputs, stride² · inputs]`
    (Sedghi, Gupta & Long 2019, for stride 1). Layers pad with zeros instead, which moves values by
    some percent: the reference says what the kernel does, not what the edge does.

    Args:
        kernel: `[height, width, inputs / groups, outputs]`, as Flax keeps it.
        size: height and width of the input.
        stride: in both directions; it must divide them.
        groups: of channels that do not meet.

    Returns:
        `[min(outputs · H/s · W/s, inputs · H · W)]`.

    Raises:
        ValueError: for a kernel of other axes, and a stride or groups that do not divide.
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
    found = [_of_group(part, size, stride) for part in np.split(weights, groups, axis=3)]
    values = np.sort(np.concatenate(found))[::-1]
    inputs = weights.shape[2] * groups
    outputs = weights.shape[3] * (size[0] // stride) * (size[1] // stride)
    return _padded(values, min(outputs, inputs * size[0] * size[1]))


def _of_group(weights: np.ndarray, size: tuple[int, int], stride: int) -> np.ndarray:
    height, width, inputs, outputs = weights.shape
    coarse = [np.arange(side // stride) for side in size]
    u, v = (each.ravel() for each in np.meshgrid(*coarse, indexing="ij"))
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
    """Where groups are unlike in rank there may be zeros too few or too many."""
    return np.concatenate([values, np.zeros(max(0, count - len(values)))])[:count]
