"""Block Golub–Kahan bidiagonalisation: what every matrix-free number but the moments rests on.

Products are made on the device, for all images and all spaces at once; the bases are kept
orthonormal in float64 on the host, on both sides. Golub, Luk & Overton (1981), "A block Lanczos
method for computing the singular values and corresponding singular vectors of a matrix".
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
"""Of a vector that is to lie within the row space, what may lie outside of it."""


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """NumPy's products on one thread; a decorator too.

    Between them its threads wait by spinning, and take the cores from the products on the device:
    a pair at layer2 of ResNet-18 at 64² took 33 ms of CPU time instead of 5.
    """
    from threadpoolctl import ThreadpoolController  # comes with scikit-learn

    with ThreadpoolController().limit(limits=1, user_api="blas"):
        yield


def require_bases(maps: LinearizedLayer, spaces: int, vectors: int, advice: str) -> None:
    """Refuses bases that would not fit into memory.

    Args:
        maps: from `linearize`.
        spaces: Krylov spaces for each image.
        vectors: on either side of each.
        advice: the smaller setting that would fit.

    Raises:
        ValueError: if they do not.
    """
    m, n = maps.shape
    require(
        f"keeping {spaces * vectors} vectors of {m} and {n} numbers for each of {maps.images}"
        f" image{'s' if maps.images > 1 else ''}",
        8 * maps.images * spaces * vectors * (m + n),
        advice,
    )


def extend(maps: LinearizedLayer, groups: list[list["KrylovSpace"]]) -> None:
    """A block more on either side, for several spaces of each image at once."""
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
    """Orthonormal bases U and V with `J V = U B`, and `Jᵀ U = V Bᵀ` but for the last block.

    Args:
        start: what spans the first block of V, `[block, n]`.
        random: where the space is exhausted, vectors are drawn from here, outside of it. `None`: V
            stays within what `Jᵀ` gives, as the start must; zeros stand where nothing is left.
        epsilon: of the products.
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
        # Of the last right vectors, how much lies outside of the row space: rounding over length.
        self._leaks = 10 * epsilon * lengths[0] / np.maximum(lengths, 1e-300)
        if random is None:
            rows = np.where(self._leaks[:, None] < _LEAK, rows, 0.0)
            self._leaks = np.where(self._leaks < _LEAK, self._leaks, 0.0)
        self._cut = 0.0
        self._right.add(rows)
        self._projected: list[np.ndarray] = []  # columns of B, as [block, rows so far]
        self._next = np.zeros((self.block, self.block))
        self._scale = 0.0

    def last_right(self) -> np.ndarray:
        """The block of V whose products come next."""
        return self._right.rows[-self.block :]

    def last_left(self) -> np.ndarray:
        """The block of U whose products come next."""
        return self._left.rows[-self.block :]

    def add_left(self, products: np.ndarray) -> None:
        """Takes `J v` of the last right block."""
        self._scale = max(self._scale, float(np.linalg.norm(products, axis=1).max()))
        coefficients, rest = self._extended(self._left, products)
        self._projected.append(np.concatenate([coefficients, rest], 1))

    def add_right(self, products: np.ndarray) -> None:
        """Takes `Jᵀ u` of the last left block."""
        _, self._next = self._extended(self._right, products)

    def _leak(self, coefficients: np.ndarray, length: float) -> float:
        """Of a vector of that length that is left when these parts of others are taken off."""
        return float((10 * self._epsilon * self._scale + abs(coefficients) @ self._leaks) / length)

    def quadrature(self) -> tuple[np.ndarray, np.ndarray]:
        """Gauss's nodes σ and weights of the spectrum that the start vector sees, of sum 1."""
        _, nodes, right = self._svd()
        return nodes, np.square(right[:, 0])

    def values(self, k: int) -> np.ndarray:
        """The k largest singular values of B."""
        return self._svd()[1][:k]

    def least(self) -> tuple[float, int]:
        """A bound on the least `‖J v‖` of a unit v in the row space, and the dimension of V.

        The vectors of V have leaks, `‖part in the null space‖`; those of a combination add up.
        """
        matrix = self._matrix()
        held = np.linalg.norm(self._right.rows[: len(matrix)], axis=1) > 0.5
        stretch = np.linalg.svd(matrix[:, held], compute_uv=False)[-1]
        leak = np.square(self._leaks[: len(matrix)][held]).sum()
        return float(stretch / np.sqrt(1 - min(leak, 0.75))), int(held.sum())

    @property
    def ended(self) -> bool:
        """Whether there is no next vector."""
        return not self.last_right().any()

    @property
    def exhausted(self) -> bool:
        """Whether it ended because nothing but rounding was left."""
        return self.ended and self._cut <= 100 * self._epsilon * self._scale

    def residuals(self, k: int) -> np.ndarray:
        """`‖Jᵀ u − σ v‖` of each."""
        left = self._svd()[0][:, :k]
        return np.linalg.norm(self._next.T @ left[-self.block :], axis=0)

    def vectors(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Left and right singular vectors, `[k, m]` and `[k, n]`."""
        left, _, right = self._svd()
        return left[:, :k].T @ self._left.rows, right[:k] @ self._right.rows[: len(left)]

    def _extended(self, basis: "_Rows", vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Adds an orthonormal block for what the basis does not hold of some vectors.

        Returns the vectors' coefficients on the basis as it was, and on the block.
        """
        old = basis.rows if len(basis) else np.zeros((0, vectors.shape[1]))
        coefficients = np.zeros((len(vectors), len(old)))
        before = np.zeros(len(vectors))
        for _ in range(2):  # once leaves what rounding makes of large coefficients
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
            if length > 0.7 * before[row]:  # twice was enough (Kahan): nothing was cancelled
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
                unit = _drawn_outside(len(vector), basis, self._random)
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
        return np.linalg.svd(self._matrix())


class _Rows:
    """Rows that grow without being copied each time."""

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


def _drawn_outside(size: int, basis: _Rows, random: np.random.Generator) -> np.ndarray:
    """A random unit vector orthogonal to a basis; zero where nothing is left."""
    if len(basis) >= size:
        return np.zeros(size)
    vector = random.standard_normal(size)
    for _ in range(3):
        vector = vector - (vector @ basis.rows.T) @ basis.rows if len(basis) else vector
        vector = vector / np.linalg.norm(vector)
    return vector


def _unit_outside(vector: np.ndarray, basis: _Rows) -> np.ndarray | None:
    """Of length 1, and orthogonal to a basis; None if it was rounding that left it outside."""
    vector = vector / np.linalg.norm(vector)
    if len(basis):
        vector = vector - (vector @ basis.rows.T) @ basis.rows
    length = np.linalg.norm(vector)
    return vector / length if length > 0.7 else None
