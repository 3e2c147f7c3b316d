"""The smallest singular value that is not 0, and the condition number κ."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from depthjax.jacobian.krylov import KrylovSpace, extend, one_blas_thread, require_bases
from depthjax.jacobian.linearization import LinearizedLayer, pull, push, resolution


class SmallestSingular(NamedTuple):
    """An upper bound on the smallest non-zero singular value of each image's Jacobian, `[B]` each.

    Fields:
        upper: the bound.
        exact: whether the Krylov space was exhausted. `upper` is then the smallest singular value
            itself, apart from those that are too small to be told from 0 (see `resolution`).
        rank: where exact, the number of singular values that can be told from 0; else −1.
        below_floor: whether `upper` is so small that it may be a rounding error.
        largest: a lower bound on σ₁.
        products: pairs of products for each image, including the start.
    """

    upper: Float[np.ndarray, " images"]
    exact: Bool[np.ndarray, " images"]
    rank: Int[np.ndarray, " images"]
    below_floor: Bool[np.ndarray, " images"]
    largest: Float[np.ndarray, " images"]
    products: int


@one_blas_thread()
def smallest_nonzero(
    maps: LinearizedLayer, *, block: int = 4, most: int = 80, seed: int = 0
) -> SmallestSingular:
    """An upper bound on the smallest non-zero singular value, by block Golub–Kahan.

    The start `Jᵀ J z` lies in the row space, and so does the whole Krylov space: `‖J v‖` of any of
    its unit vectors is at least the smallest non-zero σ, and the smallest `‖J v‖` is the bound. To
    reach σ itself takes about as many products as J has distinct singular values, so for deep
    layers and large images it stays a bound.

    Args:
        maps: from `linearize`.
        block: vectors per product.
        most: the largest number of pairs of products for each image.
        seed: of z, which is standard normal.

    Raises:
        ValueError: for a Jacobian that is 0, and if the bases do not fit into memory.
    """
    m, n = maps.shape
    block = min(block, m, n)
    steps = max(1, most // block - 1)
    require_bases(
        maps, 1, block * (steps + 1), f"allow fewer products than most={most}, or fewer images"
    )
    random = np.random.default_rng(seed)
    epsilon = float(np.finfo(maps.dtype).eps)
    z = jnp.asarray(random.standard_normal((block, maps.images, n)), maps.dtype)
    starts = np.asarray(pull(maps, push(maps, z)), np.float64).swapaxes(0, 1)
    if not np.linalg.norm(starts, axis=2).max(1).all():
        raise ValueError(
            "a Jacobian is 0 at one of the images, so it has no singular value but 0; choose"
            " another image or an earlier layer"
        )
    spaces = [KrylovSpace(start, None, epsilon) for start in starts]
    done = 0
    while done < steps and not all(space.ended for space in spaces):
        extend(maps, [spaces])
        done += 1
    upper, dimension = (
        np.array(side) for side in zip(*(space.least() for space in spaces), strict=True)
    )
    largest = np.array([space.values(1)[0] for space in spaces])
    below = upper <= resolution(maps) * largest
    exact = np.array([space.exhausted for space in spaces]) & ~below
    rank = np.where(exact, dimension, -1)
    return SmallestSingular(upper, exact, rank, below, largest, block * (done + 1))


class ConditionNumber(NamedTuple):
    """An interval that holds κ = σ₁ / σ_min of each image's Jacobian, `[B]` each.

    Fields:
        low: its lower end.
        high: its upper end; infinity where a smaller σ cannot be excluded, and where J has a null
            space.
        on_row_space: both ends for κ of the non-zero singular values only. It says how hard the
            recoverable part of an image is to recover, also where J has a null space.
    """

    low: Float[np.ndarray, " images"]
    high: Float[np.ndarray, " images"]
    on_row_space: tuple[Float[np.ndarray, " images"], Float[np.ndarray, " images"]]


def condition_number(maps: LinearizedLayer, least: SmallestSingular) -> ConditionNumber:
    """An interval that holds κ.

    The estimates of κ that LSQR and LSMR give are wrong by factors of 5 to 30.

    Args:
        maps: from `linearize`.
        least: from `smallest_nonzero(maps)`.
    """
    _, n = maps.shape
    floor = resolution(maps)
    low = least.largest / np.maximum(least.upper, least.largest * floor)
    high = np.where(least.exact, low, np.inf)
    # All other singular values are 0 or cannot be told from 0.
    hidden = least.exact & (least.rank < n)
    wide = np.full(maps.images, maps.shape[0] < n)
    whole = np.where(wide, np.inf, np.where(hidden, 1 / floor, low))
    return ConditionNumber(whole, np.where(wide | hidden, np.inf, high), (low, high))
