"""The smallest singular value that is not 0, and the condition number κ."""

from collections.abc import Iterable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from depthjax.jacobian.krylov import KrylovSpace, extend, one_blas_thread, require_bases
from depthjax.jacobian.linearization import LinearizedLayer, pull, push, resolution

_ROUNDED = 1.001
"""A bound over the value that it was corrected from, up to which it counts as exact."""


class SmallestSingular(NamedTuple):
    """An upper bound on the smallest non-zero singular value of each image's Jacobian, `[B]` each.

    Fields:
        upper: the bound.
        exact: whether `upper` is the smallest singular value itself, apart from those that are too
            small to be told from 0 (see `resolution`): the Krylov space was exhausted, random
            vectors led to no smaller one, and rounding errors change it by a thousandth at most.
        rank: the number of singular values that can be told from 0, if the whole row space was
            searched, until random vectors led to nothing outside of the Krylov space; else −1.
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
    layers and large images it stays a bound. A space that is exhausted holds each distinct σ, but
    none more than `block` times, so it goes on from random vectors until these find nothing new.

    Args:
        maps: from `linearize`.
        block: vectors per product.
        most: the largest number of pairs of products for each image.
        seed: of z, which is standard normal, and of the vectors that exhausted spaces go on from.

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
    spaces = [KrylovSpace(start, random, epsilon, in_row_space=True) for start in starts]
    done = 0
    while done < steps and not all(space.settled for space in spaces):
        extend(maps, [spaces])
        done += 1
    stretch, upper, dimension = _leasts(space.least() for space in spaces)
    first_stretch, first, _ = _leasts(space.exhausted_least or space.least() for space in spaces)
    exhausted = np.array([space.exhausted_least is not None for space in spaces])
    complete = np.array([space.complete for space in spaces])
    largest = np.array([space.values(1)[0] for space in spaces])
    exact = complete & (upper <= _ROUNDED * stretch)
    exact |= exhausted & (first <= _ROUNDED * first_stretch) & (first <= _ROUNDED * upper)
    upper = np.minimum(first, upper)
    below = upper <= resolution(maps) * largest
    exact &= ~below
    searched = complete & ~below
    rank = np.where(searched, dimension, -1)
    return SmallestSingular(upper, exact, rank, below, largest, block * (done + 1))


def _leasts(of_spaces: Iterable[tuple[float, float, int]]) -> tuple[np.ndarray, ...]:
    return tuple(np.array(part) for part in zip(*of_spaces, strict=True))


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
    # Of a null space, all other singular values are 0 or cannot be told from 0.
    null = (least.rank >= 0) & (least.rank < n) | (maps.shape[0] < n)
    known = np.full(maps.images, 1 / floor if maps.shape[0] >= n else np.inf)
    whole = np.where(null, known, low), np.where(least.rank == n, high, np.inf)
    return ConditionNumber(*whole, (low, high))
