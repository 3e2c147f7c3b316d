"""Weights without what training put into their kernels: permuted, or turned at random."""

from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import numpy as np

from depthjax.models.initializers import Stream
from depthjax.typing import Variables

_Change: TypeAlias = Callable[[np.random.Generator, np.ndarray], np.ndarray]

_OUTPUTS_LAST = {"kernel": True, "w": True, "weight": False}
"""What kernels are called by us, Flax, Haiku and Equinox, and whether outputs are the last axis or,
as in PyTorch, the first."""


def shuffled(variables: Variables, seed: int) -> dict[str, Any]:
    """Weights with the entries of each kernel permuted within that kernel.

    A control for trained weights: each kernel keeps all of its values, and nothing of what they
    say together. Biases, scales and the statistics of BatchNorm stay as they are.

    Args:
        variables: of a model; what is called kernel, weight or w and has two axes is a kernel.
        seed: of the permutations, which depend on it and on a kernel's name and size alone.

    Raises:
        ValueError: if there is no kernel among them.
    """

    def permuted(random: np.random.Generator, kernel: np.ndarray) -> np.ndarray:
        return kernel.reshape(-1)[random.permutation(kernel.size)].reshape(kernel.shape)

    return _with_kernels(variables, seed, permuted)


def rotated(variables: Variables, seed: int) -> dict[str, Any]:
    """Weights whose kernels keep their singular values and get random singular vectors.

    A kernel is taken as the matrix of PyTorch's layout, a row for each output and a column for each
    weight of it: `[out, in / groups · height · width]`. Its singular vectors are drawn uniformly
    (by Haar's measure) on both sides. A depthwise kernel is so a matrix `[channels, height ·
    width]`, whose singular values say how alike the filters of all channels are; and a kernel of a
    single output, or of a single weight for each, keeps its norm alone. Biases, scales and the
    statistics of BatchNorm stay as they are.

    Args:
        variables: of a model; what is called kernel, weight or w and has two axes is a kernel.
        seed: of the vectors, which depend on it and on a kernel's name and shape alone.

    Raises:
        ValueError: if there is no kernel among them.
    """

    def turned(random: np.random.Generator, kernel: np.ndarray) -> np.ndarray:
        matrix = kernel.reshape(-1, kernel.shape[-1]).astype(np.float64)
        values = _singular_values(matrix)
        left, right = (_frame(random, side, len(values)) for side in matrix.shape)
        return ((left * values) @ right.T).reshape(kernel.shape).astype(kernel.dtype)

    return _with_kernels(variables, seed, turned)


def _singular_values(matrix: np.ndarray) -> np.ndarray:
    """Of float64, to 1e-8 of the largest, below what float32 tells apart; sooner than by an SVD."""
    narrow = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    return np.sqrt(np.maximum(np.linalg.eigvalsh(narrow.T @ narrow), 0))


def _frame(random: np.random.Generator, size: int, count: int) -> np.ndarray:
    """Orthonormal columns `[size, count]`, uniformly distributed (Mezzadri 2007)."""
    columns, triangle = np.linalg.qr(random.standard_normal((size, count)))
    return columns * np.where(np.diag(triangle) < 0, -1, 1)


def _with_kernels(variables: Variables, seed: int, change: _Change) -> dict[str, Any]:
    """Weights with every kernel `[…, out]` changed; each has random numbers of its own."""
    key = jax.random.key(seed)
    kernels = []

    def changed(path: tuple[Any, ...], leaf: Any) -> Any:
        names = [str(getattr(part, "key", part)) for part in path]
        last = _OUTPUTS_LAST.get(_called(names))
        if names[0] != "params" or last is None or leaf.ndim < 2:
            return leaf
        kernels.append(names)
        random = Stream(key, "/".join(names)).generator()
        kernel = np.asarray(leaf) if last else np.moveaxis(np.asarray(leaf), 0, -1)
        other = change(random, kernel)
        return jax.device_put(other if last else np.moveaxis(other, -1, 0))

    made = jax.tree_util.tree_map_with_path(changed, dict(variables))
    if not kernels:
        raise ValueError(
            "there is no kernel to change: none of the weights has two axes or more and is called"
            f" {', '.join(_OUTPUTS_LAST)}"
        )
    return made


def _called(names: list[str]) -> str:
    """The name of a weight. That of a function (`as_network`) is within that of its operation."""
    parts = [part for name in names for part in name.split(".")]
    while parts[-1] in ("value", "raw_value"):
        parts.pop()
    return parts[-1]
