"""Block Golub–Kahan bidiagonalisation, on which all matrix-free results but the moments rest.

Products are computed on the device, for all images and all Krylov spaces at once. Both bases are
kept orthonormal on the host, in float64. Golub, Luk & Overton (1981), "A block Lanczos method for
computing the singular values and corresponding singular vectors of a matrix".
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from depthjax.devices.memory import require
from depthjax.jacobian.linearization import LinearizedLayer, pull, push

_LEAK = 0.5
"""The largest null-space component of a unit vector that counts as one of the row space."""


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limits NumPy's matrix products to one thread; a context manager and a decorator.

    Idle BLAS threads spin and take the cores from the products on the device: a pair of products at
    layer2 of ResNet-18 at 64² took 33 ms of CPU time instead of 5.
    """
    from threadpoolctl import ThreadpoolController  # comes with scikit-learn

    with ThreadpoolController().limit(limits=1, user_api="blas"):
        yield


def require_bases(maps: LinearizedLayer, spaces: int, vectors: int, advice: str) -> None:
    """Refuses Krylov bases that do not fit into memory.

    Args:
        maps: from `linearize`.
        spaces: Krylov spaces for each image.
        vectors: of each basis, U and V.
        advice: what to do instead, for the message.

    Raises:
        ValueError: if they do not fit.
    """
    m, n = maps.shape
    require(
        f"keeping {spaces * vectors} vectors of {m} and {n} numbers for each of {maps.images}"
        f" image{'s' if maps.images > 1 else ''}",
        8 * maps.images * spaces * vectors * (m + n),
        advice,
    )


def extend(maps: LinearizedLayer, groups: list[list["KrylovSpace"]]) -> None:
    """Adds a block to U and one to V, for several groups of one space per image at once."""
    for product, last, add in (
        (push, KrylovSpace.last_right, KrylovSpace.add_left),
        (pull, KrylovSpace.last_left, KrylovSpace.add_right),
    ):
        vectors = np.concatenate([np.stack([last(s) for s in group], 1) for group in groups])
        made = np.asarray(product(maps, jnp.asarray(vectors, maps.dtype)))
        for group, part in zip(groups, np.split(made, len(groups)), strict=True):
            for number, space in enumerate(group):
                add(space, part[:, number].astype(np.float64))


class KrylovSpace:
    """Orthonormal bases U and V with `J V = U B`, and `Jᵀ U = V Bᵀ` except for the last block.

    Args:
        start: spans the first block of V, `[block, n]`.
        random: draws vectors orthogonal to a basis if the space is exhausted. `None`: V stays in
            the row space, in which the start must lie, and zero rows fill up the blocks.
        epsilon: of the dtype of the products.
    """

    def __init__(
        self,
        start: Float[np.ndarray, "block n"],
        random: np.random.Generator | None,
        epsilon: float,
    ) -> None:
        self._random, self._epsilon = random, epsilon
        self.block = len(start)
        self._left, self._right = _Rows(), _Rows()
        _, lengths, rows = np.linalg.svd(start, full_matrices=False)
        # Bounds on the null-space components of the last right vectors: rounding error / length.
        self._leaks = 10 * epsilon * lengths[0] / np.maximum(lengths, 1e-300)
        if random is None:
            rows = np.where(self._leaks[:, None] < _LEAK, rows, 0.0)
            self._leaks = np.where(self._leaks < _LEAK, self._leaks, 0.0)
        self._cut = 0.0
        self._right.add(rows)
        self._projected: list[np.ndarray] = []  # columns of B, as [block, rows so far]
        self._next = np.zeros((self.block, self.block))
        self._scale = 0.0
        self._decomposed: Any = None

    def last_right(self) -> np.ndarray:
        """The last block of V, to be multiplied by J."""
        return self._right.rows[-self.block :]

    def last_left(self) -> np.ndarray:
        """The last block of U, to be multiplied by Jᵀ."""
        return self._left.rows[-self.block :]

    def add_left(self, products: np.ndarray) -> None:
        """Adds a block to U, from `J v` of the last block of V."""
        self._scale = max(self._scale, float(np.linalg.norm(products, axis=1).max()))
        coefficients, rest = self._extend_basis(self._left, products)
        self._projected.append(np.concatenate([coefficients, rest], 1))
        self._decomposed = None

    def add_right(self, products: np.ndarray) -> None:
        """Adds a block to V, from `Jᵀ u` of the last block of U."""
        _, self._next = self._extend_basis(self._right, products)

    def _leak(self, coefficients: np.ndarray, length: float) -> float:
        """The bound for a vector of this length, left after subtracting multiples of others."""
        return float((10 * self._epsilon * self._scale + abs(coefficients) @ self._leaks) / length)

    def quadrature(self) -> tuple[np.ndarray, np.ndarray]:
        """Gauss nodes σ and weights of the start vector's spectral measure; weights sum to 1."""
        return _rule(self._matrix())

    def radau(self) -> tuple[np.ndarray, np.ndarray]:
        """Gauss–Radau nodes σ and weights; what is missing of a sum of 1 weighs the node at 0.

        The columns of `U B` miss what `Jᵀ U` has outside of V. With it B is wider than high, so
        that one more eigenvalue of `BᵀB` is 0, which is the fixed node.
        """
        wider = np.pad(self._matrix(), ((0, 0), (0, self.block)))
        wider[-self.block :, -self.block :] = self._next
        return _rule(wider)

    def values(self, k: int) -> np.ndarray:
        """The k largest singular values of B."""
        return self._svd()[1][:k]

    def least(self) -> tuple[float, int]:
        """An upper bound on the smallest non-zero σ, and the dimension of V.

        It is the smallest `‖J v‖` of a unit vector in V, corrected for the null-space components
        ("leaks") of the vectors of V, which add up in v.
        """
        matrix = self._matrix()
        held = np.linalg.norm(self._right.rows[: len(matrix)], axis=1) > 0.5
        stretch = np.linalg.svd(matrix[:, held], compute_uv=False)[-1]
        leak = np.square(self._leaks[: len(matrix)][held]).sum()
        return float(stretch / np.sqrt(1 - min(leak, 0.75))), int(held.sum())

    @property
    def ended(self) -> bool:
        """Whether the last block of V is zero, so that nothing can be added."""
        return not self.last_right().any()

    @property
    def exhausted(self) -> bool:
        """Whether it ended because only rounding errors were left."""
        return self.ended and self._cut <= 100 * self._epsilon * self._scale

    def residuals(self, k: int) -> np.ndarray:
        """`‖Jᵀ u − σ v‖` of the k largest singular values."""
        left = self._svd()[0][:, :k]
        return np.linalg.norm(self._next.T @ left[-self.block :], axis=0)

    def vectors(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The first k left and right singular vectors, `[k, m]` and `[k, n]`."""
        left, _, right = self._svd()
        return left[:, :k].T @ self._left.rows, right[:k] @ self._right.rows[: len(left)]

    def _extend_basis(self, basis: "_Rows", vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Adds an orthonormal block to a basis, so that it spans some vectors too.

        Returns the coefficients of the vectors on the old basis, and on the new block.
        """
        old = basis.rows if len(basis) else np.zeros((0, vectors.shape[1]))
        coefficients = np.zeros((len(vectors), len(old)))
        before = np.zeros(len(vectors))
        for _ in range(2):  # the second pass removes the rounding errors of the first
            before = np.linalg.norm(vectors, axis=1)
            part = vectors @ old.T
            coefficients += part
            vectors = vectors - part @ old
        rest = np.zeros((len(vectors), len(vectors)))
        for row, vector in enumerate(vectors):
            new = basis.rows[len(old) :] if len(basis) else old
            for _ in range(2):
                part = vector @ new.T
                rest[row, : len(new)] += part
                vector = vector - part @ new
            length = float(np.linalg.norm(vector))
            unit = None
            if length > 0.7 * before[row]:  # nothing cancelled: two passes are enough (Kahan)
                unit = vector / length
            elif length > self._epsilon * self._scale:
                unit = _unit_outside(vector, basis)
            if basis is self._right and self._random is None:
                parts = np.concatenate([coefficients[row], rest[row, : len(new)]])
                leak = self._leak(parts, max(length, 1e-300))
                if unit is not None and np.square([*self._leaks, leak]).sum() > _LEAK**2:
                    unit = None
                self._cut = max(self._cut, 0.0 if unit is not None else length)
                self._leaks = np.append(self._leaks, leak if unit is not None else 0.0)
            if unit is not None:
                rest[row, len(new)] = length
            elif self._random is None:
                unit = np.zeros_like(vector)
            else:
                unit = _random_outside(len(vector), basis, self._random)
            basis.add(unit[None])
        return coefficients, rest

    def _matrix(self) -> np.ndarray:
        matrix = np.zeros((len(self._left), len(self._left)))
        column = 0
        for block in self._projected:
            matrix[: block.shape[1], column : column + len(block)] = block.T
            column += len(block)
        return matrix

    def _svd(self) -> Any:
        if self._decomposed is None:
            self._decomposed = np.linalg.svd(self._matrix())
        return self._decomposed


def _rule(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of a quadrature: singular values, squares of the right vectors' firsts."""
    _, nodes, right = np.linalg.svd(matrix, full_matrices=False)
    return nodes, np.square(right[:, 0])


class _Rows:
    """A matrix to which rows are added, most of the time without copying it."""

    def __init__(self) -> None:
        self._count = 0
        self._held = np.zeros((0, 0))

    def __len__(self) -> int:
        return self._count

    @property
    def rows(self) -> np.ndarray:
        return self._held[: self._count]

    def add(self, rows: np.ndarray) -> None:
        count = self._count + len(rows)
        if count > len(self._held):
            grown = np.empty((max(count, len(self._held) + 16), rows.shape[1]))
            grown[: self._count] = self.rows if self._count else grown[:0]
            self._held = grown
        self._held[self._count : count] = rows
        self._count = count


def _random_outside(size: int, basis: _Rows, random: np.random.Generator) -> np.ndarray:
    """A random unit vector orthogonal to a basis; zero if the basis is complete."""
    if len(basis) >= size:
        return np.zeros(size)
    vector = random.standard_normal(size)
    for _ in range(3):
        vector = vector - (vector @ basis.rows.T) @ basis.rows if len(basis) else vector
        vector = vector / np.linalg.norm(vector)
    return vector


def _unit_outside(vector: np.ndarray, basis: _Rows) -> np.ndarray | None:
    """The unit vector orthogonal to a basis; None if only rounding errors are orthogonal to it."""
    vector = vector / np.linalg.norm(vector)
    if len(basis):
        vector = vector - (vector @ basis.rows.T) @ basis.rows
    length = np.linalg.norm(vector)
    return vector / length if length > 0.7 else None
