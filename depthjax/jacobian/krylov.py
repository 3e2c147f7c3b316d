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
        random: draws vectors orthogonal to a basis if the space is exhausted.
        epsilon: of the dtype of the products.
        in_row_space: V stays in the row space, in which the start must lie, and zero rows fill up
            the blocks. A Krylov space holds no more vectors for each distinct σ than the start has,
            so V then goes on from random vectors until these lead to nothing outside of it.
    """

    def __init__(
        self,
        start: Float[np.ndarray, "block n"],
        random: np.random.Generator,
        epsilon: float,
        *,
        in_row_space: bool = False,
    ) -> None:
        self._random, self._epsilon, self._in_row_space = random, epsilon, in_row_space
        self.block = len(start)
        self._left, self._right = _Rows(), _Rows()
        _, lengths, rows = np.linalg.svd(start, full_matrices=False)
        # Bounds on the null-space components of the last right vectors: rounding error / length.
        self._leaks = 10 * epsilon * lengths[0] / np.maximum(lengths, 1e-300)
        if in_row_space:
            rows = np.where(self._leaks[:, None] < _LEAK, rows, 0.0)
            self._leaks = np.where(self._leaks < _LEAK, self._leaks, 0.0)
        self._cut = 0.0
        self._right.add(rows)
        self._projected: list[np.ndarray] = []  # columns of B, as [block, rows so far]
        self._next = np.zeros((self.block, self.block))
        self._scale = 0.0
        self._decomposed: Any = None
        self._search: np.ndarray | None = None  # vectors outside of a V that cannot go on
        self.complete = False
        """Whether V was found to be the whole row space; only if it stays there."""
        self.exhausted_least: tuple[float, float, int] | None = None
        """`least` when it was first exhausted; only if V stays in the row space."""

    def last_right(self) -> np.ndarray:
        """The last block of V, to be multiplied by J; random ones outside of an exhausted V."""
        return self._right.rows[-self.block :] if self._search is None else self._search

    def last_left(self) -> np.ndarray:
        """The last block of U, to be multiplied by Jᵀ."""
        return self._left.rows[-self.block :]

    def add_left(self, products: np.ndarray) -> None:
        """Adds a block to U, from `J v` of the last block of V."""
        self._scale = max(self._scale, float(np.linalg.norm(products, axis=1).max()))
        column = np.concatenate(self._extend_basis(self._left, products), 1)
        self._projected.append(column if self._search is None else np.zeros_like(column))
        self._decomposed = None
        goes_on = self._in_row_space and not self.complete and self._lost_rounding_alone
        if goes_on and not self.last_left().any():
            self._left.drop(self.block)  # Jᵀ leads from any vector into the row space
            for _ in range(self.block):
                self._left.add(_random_outside(products.shape[1], self._left, self._random)[None])

    def add_right(self, products: np.ndarray) -> None:
        """Adds a block to V, from `Jᵀ u` of the last block of U."""
        _, self._next = self._extend_basis(self._right, products)
        searched, self._search = self._search is not None, None
        if not self._in_row_space or self.complete or not self.exhausted:
            return
        if self.exhausted_least is None:
            self.exhausted_least = self.least()
        if searched:  # and found nothing: the bases stay as they were
            self._left.drop(self.block)
            self._right.drop(self.block)
            self._leaks = self._leaks[: -self.block]
            self._projected.pop()
        m, n = self._left.rows.shape[1], self._right.rows.shape[1]
        self.complete = searched or self._right.held == min(m, n)
        if not self.complete:
            self._search = np.stack(
                [_random_outside(n, self._right, self._random) for _ in range(self.block)]
            )

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

    def least(self) -> tuple[float, float, int]:
        """The least `‖J v‖` of a unit vector in V; a bound by it; the dimension of V.

        The bound is on the smallest non-zero σ, from above: the least, corrected for the null-space
        components ("leaks") of the vectors of V, which add up in v.
        """
        matrix = self._matrix()
        held = np.linalg.norm(self._right.rows[: len(matrix)], axis=1) > 0.5
        stretch = np.linalg.svd(matrix[:, held], compute_uv=False)[-1]
        leak = np.square(self._leaks[: len(matrix)][held]).sum()
        return float(stretch), float(stretch / np.sqrt(1 - min(leak, 0.75))), int(held.sum())

    @property
    def ended(self) -> bool:
        """Whether the last block of V is zero, so that nothing can be added."""
        return not self.last_right().any()

    @property
    def settled(self) -> bool:
        """Whether nothing is added to V any more."""
        return self.complete or (self.ended and not self.exhausted)

    @property
    def exhausted(self) -> bool:
        """Whether it ended because only rounding errors were left."""
        return self.ended and self._lost_rounding_alone

    @property
    def _lost_rounding_alone(self) -> bool:
        """Whether nothing longer was kept out of V."""
        return self._cut <= 100 * self._epsilon * self._scale

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
            if basis is self._right and self._in_row_space:
                parts = np.concatenate([coefficients[row], rest[row, : len(new)]])
                leak = self._leak(parts, max(length, 1e-300))
                if unit is not None and np.square([*self._leaks, leak]).sum() > _LEAK**2:
                    unit = None
                self._cut = max(self._cut, 0.0 if unit is not None else length)
                self._leaks = np.append(self._leaks, leak if unit is not None else 0.0)
            if unit is not None:
                rest[row, len(new)] = length
            elif self._in_row_space:
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
        self._rows = np.zeros((0, 0))

    def __len__(self) -> int:
        return self._count

    @property
    def rows(self) -> np.ndarray:
        return self._rows[: self._count]

    @property
    def held(self) -> int:
        """How many are not zero."""
        return int(self.rows.any(1).sum())

    def add(self, rows: np.ndarray) -> None:
        count = self._count + len(rows)
        if count > len(self._rows):
            grown = np.empty((max(count, len(self._rows) + 16), rows.shape[1]))
            grown[: self._count] = self.rows if self._count else grown[:0]
            self._rows = grown
        self._rows[self._count : count] = rows
        self._count = count

    def drop(self, count: int) -> None:
        self._count -= count


def _random_outside(size: int, basis: _Rows, random: np.random.Generator) -> np.ndarray:
    """A random unit vector orthogonal to a basis; zero if the basis is complete."""
    if basis.held >= size:
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
