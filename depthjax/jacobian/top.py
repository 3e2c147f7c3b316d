"""The largest singular values of a layer's Jacobian, and their vectors."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from depthjax.jacobian.krylov import KrylovSpace, extend, one_blas_thread, require_bases
from depthjax.jacobian.linearization import LinearizedLayer


class TopSingular(NamedTuple):
    """The largest singular values of each image's Jacobian, with their singular vectors.

    Fields:
        values: σ in descending order, `[B, k]`, float64.
        left, right: unit vectors `u` and `v` with `J v = σ u`, `[B, k, m]` and `[B, k, n]`.
        residual: `‖Jᵀ u − σ v‖`, `[B, k]`. Some singular value is at most that far from σ. It does
            not show whether repeated singular values were found with their full multiplicity.
        converged: whether the residual is within the tolerance, `[B, k]`.
        products: pairs of products `J v` and `Jᵀ u` for each image.
    """

    values: Float[np.ndarray, "images k"]
    left: Float[np.ndarray, "images k m"]
    right: Float[np.ndarray, "images k n"]
    residual: Float[np.ndarray, "images k"]
    converged: Bool[np.ndarray, "images k"]
    products: int


@one_blas_thread()
def top_singular_values(
    maps: LinearizedLayer,
    k: int = 10,
    *,
    block: int = 4,
    most: int = 160,
    tolerance: float | None = None,
    seed: int = 0,
) -> TopSingular:
    """The k largest singular values, by block Golub–Kahan with full reorthogonalisation.

    Blocks of b vectors find repeated singular values up to a multiplicity of b. If a Krylov space
    is exhausted (identity, projection, zero), random vectors extend it. So k may exceed the rank;
    the values beyond it are 0 up to rounding errors.

    Args:
        maps: from `linearize`.
        k: how many singular values.
        block: b, the vectors per product. A smaller block converges after fewer products, but
            misses singular values of a higher multiplicity.
        most: the largest number of pairs of products for each image; the estimates at that point
            are returned, converged or not.
        tolerance: of the residual, relative to σ₁; by default 30 times the epsilon of the dtype.
        seed: of the random vectors that it starts from.

    Raises:
        ValueError: for k above the number of singular values, or above what `most` products can
            give, and if the bases do not fit into memory.
    """
    m, n = maps.shape
    if not 1 <= k <= min(m, n):
        raise ValueError(
            f"a Jacobian of {m}×{n} has {min(m, n)} singular values, {k} were asked for"
        )
    block = min(block, m, n)
    if most < k + block:
        raise ValueError(
            f"{most} products cannot give {k} singular values in blocks of {block}; allow"
            f" {k + block} or more"
        )
    size = min(most, min(m, n) + block) + block
    require_bases(
        maps, 1, size, f"allow fewer products than most={most}, or take fewer images at once"
    )
    epsilon = float(np.finfo(maps.dtype).eps)
    tolerance = 30 * epsilon if tolerance is None else tolerance
    random = np.random.default_rng(seed)
    starts = random.standard_normal((maps.images, block, n))
    spaces = [KrylovSpace(start, random, epsilon) for start in starts]
    products = 0
    while True:
        extend(maps, [spaces])
        products += block
        full = products >= min(n, m + block)  # the start need not lie in the row space
        if products >= k:
            ended = full or products + block > most
            residuals = np.stack([space.residuals(k) for space in spaces])
            largest = np.array([max(space.values(1)[0], 1e-300) for space in spaces])
            converged = residuals <= tolerance * largest[:, None]
            if ended or converged.all():
                break
    values = np.stack([space.values(k) for space in spaces])
    left, right = (np.stack(side) for side in zip(*(s.vectors(k) for s in spaces), strict=True))
    return TopSingular(values, left, right, residuals, converged, products)
