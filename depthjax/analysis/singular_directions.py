"""The right singular vectors of a linear map whose singular values are not 0: its row space.

A gradient moves an image only within the row space of the Jacobian. Everything orthogonal to it,
the null space, stays as it is.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class SingularDirections(NamedTuple):
    """The singular values of a map J that are not 0, with their right singular vectors.

    Fields:
        values: σ > 0 in descending order, `[r]`; r is the rank of J.
        vectors: the right singular vectors as orthonormal rows, `[r, n]`; they span the row space.
    """

    values: Float[np.ndarray, " rank"]
    vectors: Float[np.ndarray, "rank n"]

    @property
    def condition_number(self) -> float:
        """κ = σ₁ / σ_r on the row space; NaN for a map of rank 0."""
        return float(self.values[0] / self.values[-1]) if len(self.values) else float("nan")

    def null_component(self, difference: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """`P_N d`: the orthogonal projection of a difference of images onto the null space of J."""
        for _ in range(2):  # the second pass removes the rounding errors of the first
            difference = difference - (self.vectors @ difference) @ self.vectors
        return difference


def singular_directions(jacobian: Float[np.ndarray, "m n"]) -> SingularDirections:
    """The singular value decomposition of a matrix, without the singular values that are 0.

    Those up to σ₁ · max(m, n) · ε count as 0, as in `numpy.linalg.matrix_rank`; ε is the epsilon of
    the dtype.

    Args:
        jacobian: J, `[m, n]`; in float64 if small singular values matter.

    Returns:
        The directions in float64, computed in the dtype of the matrix.
    """
    m, n = jacobian.shape
    square = np.linalg.qr(jacobian, mode="r") if m > n else jacobian  # same values and vectors
    _, values, vectors = np.linalg.svd(square, full_matrices=False)
    tolerance = max(m, n) * float(np.finfo(jacobian.dtype).eps)
    rank = int((values > tolerance * values[0]).sum())
    return SingularDirections(values[:rank].astype(float), vectors[:rank].astype(float))
