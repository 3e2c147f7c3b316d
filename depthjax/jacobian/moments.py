"""Sums over all singular values, estimated with random vectors: norms and effective ranks."""

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float

from depthjax.jacobian.linearization import LinearizedLayer, pull, push

_BLOCK = 4
"""How many products are computed at once; another number draws other vectors."""


class Estimate(NamedTuple):
    """An estimate for each image, `[B]`, and its standard error, `[B]`; float64."""

    value: Float[np.ndarray, " images"]
    error: Float[np.ndarray, " images"]


class Moments(NamedTuple):
    """Sums over the singular values of each image's Jacobian.

    Fields:
        frobenius: `‖J‖_F² = Σσ²`.
        gram: `‖JᵀJ‖_F² = Σσ⁴`.
        participation_ratio: `(Σσ²)² / Σσ⁴`, an effective rank: r for r equal singular values.
    """

    frobenius: Estimate
    gram: Estimate
    participation_ratio: Estimate


def moments(maps: LinearizedLayer, key: Array, *, probes: int = 32) -> Moments:
    """Norms of each image's Jacobian, estimated from products with random vectors.

    For z of independent ±1, the expectation of `‖J z‖²` is Σσ², and that of `‖Jᵀ J z‖²` is Σσ⁴
    (Hutchinson 1990). The relative standard error of Σσ² is at most
    `√(2 / (probes · participation ratio))`.

    Args:
        maps: from `linearize`.
        key: a `jax.random.key`.
        probes: random vectors, at least 2.

    Raises:
        ValueError: for fewer than 2 probes, as these have no standard error.
    """
    if probes < 2:
        raise ValueError(f"{probes} probe has no standard error; take 2 or more")
    first, second = [], []
    for start in range(0, probes, _BLOCK):
        size = min(_BLOCK, probes - start)
        shape = (_BLOCK, maps.images, maps.shape[1])
        z = jax.random.rademacher(jax.random.fold_in(key, start), shape, maps.dtype)
        pushed = push(maps, z)
        first.append(np.square(np.asarray(pushed, np.float64)).sum(-1)[:size])
        pulled = np.asarray(pull(maps, pushed), np.float64)
        second.append(np.square(pulled).sum(-1)[:size])
    a, b = np.concatenate(first), np.concatenate(second)  # [probes, images]
    return Moments(_mean(a), _mean(b), _participation(a, b))


def stable_rank(sums: Moments, largest: Float[np.ndarray, " images"]) -> Estimate:
    """The stable rank `‖J‖_F² / σ₁²`: r for r equal singular values.

    Args:
        sums: from `moments`.
        largest: σ₁, `[B]`, as from `top_singular_values(maps, 1).values[:, 0]`.

    Raises:
        ValueError: for a σ₁ that is not positive.
    """
    if not (np.asarray(largest) > 0).all():
        raise ValueError("the stable rank of a Jacobian that is 0 is not defined")
    value, error = sums.frobenius
    return Estimate(value / largest**2, error / largest**2)


def _mean(samples: Float[np.ndarray, "probes images"]) -> Estimate:
    return Estimate(samples.mean(0), samples.std(0, ddof=1) / np.sqrt(len(samples)))


def _participation(
    a: Float[np.ndarray, "probes images"], b: Float[np.ndarray, "probes images"]
) -> Estimate:
    """The jackknife estimate, which removes the bias of a ratio of means; NaN where J is 0."""
    probes = len(a)
    b = np.where(b > 0, b, np.nan)
    whole = a.mean(0) ** 2 / b.mean(0)
    without = ((a.sum(0) - a) / (probes - 1)) ** 2 / ((b.sum(0) - b) / (probes - 1))
    value = probes * whole - (probes - 1) * without.mean(0)
    error = np.sqrt((probes - 1) / probes * np.square(without - without.mean(0)).sum(0))
    return Estimate(value, error)
