"""The other end of the spectrum: the least singular value that is not 0, and κ."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from depthjax.jacobian.krylov import KrylovSpace, extend, one_blas_thread, require_bases
from depthjax.jacobian.linearization import LinearizedLayer, pull, push, resolution


class SmallestSingular(NamedTuple):
    """A bound on the least singular value other than 0, `[B]` each.

    Fields:
        upper: some singular value other than 0 is at most this.
        exact: the Krylov space was exhausted: apart from values below the floor, that rounding
            hides, `upper` is the least itself.
        rank: where exact, how many singular values lie above the floor; else -1.
        below_floor: `upper` is so small that rounding may have made it.
        largest: σ₁ as far as it was found, a lower bound on it.
        products: pairs of products for each image, two for the start included.
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
    """An upper bound on the least non-zero singular value, by Golub–Kahan within the row space.

    The start is `Jᵀ J z`, which has no part in the null space, so that every unit vector of the
    Krylov space is stretched by at least the least non-zero σ. It takes about as many products as J
    has distinct singular values to reach it: for deep layers of large images the bound is a bound.

    Args:
        maps: from `linearize`.
        block: vectors at once.
        most: pairs of products after which it ends.
        seed: of z.

    Raises:
        ValueError: for a Jacobian that is 0; if the bases do not fit into memory.
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
    """κ = σ₁ / σ_min of each image's Jacobian lies between these, `[B]` each.

    Fields:
        low: what the products have shown.
        high: infinite where they cannot exclude a smaller σ, and where J has a null space.
        on_row_space: low and high of κ among the singular values other than 0, for layers that
            have fewer outputs than inputs: how hard it is to find what is there to be found.
    """

    low: Float[np.ndarray, " images"]
    high: Float[np.ndarray, " images"]
    on_row_space: tuple[Float[np.ndarray, " images"], Float[np.ndarray, " images"]]


def condition_number(maps: LinearizedLayer, least: SmallestSingular) -> ConditionNumber:
    """κ as an interval; LSQR's and LSMR's estimates of it are wrong by 5 to 30 times.

    Args:
        maps: from `linearize`.
        least: from `smallest_nonzero(maps)`.
    """
    _, n = maps.shape
    floor = resolution(maps)
    low = least.largest / np.maximum(least.upper, least.largest * floor)
    high = np.where(least.exact, low, np.inf)
    # What exact numbers would find there is 0 or hidden: at least as small as the floor.
    hidden = least.exact & (least.rank < n)
    wide = np.full(maps.images, maps.shape[0] < n)
    whole = np.where(wide, np.inf, np.where(hidden, 1 / floor, low))
    return ConditionNumber(whole, np.where(wide | hidden, np.inf, high), (low, high))
