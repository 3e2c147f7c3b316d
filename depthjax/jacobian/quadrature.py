"""The distribution of the singular values, by stochastic Lanczos quadrature, with bounds."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike

from depthjax.jacobian.krylov import KrylovSpace, extend, one_blas_thread, require_bases
from depthjax.jacobian.linearization import LinearizedLayer, resolution

_TOGETHER = 8
"""Probes that are computed at once; the bases of all of these are in memory."""


class SpectralQuadrature(NamedTuple):
    """Quadrature nodes and weights of the spectrum of each image's Jacobian, one set per probe.

    Fields:
        nodes: σ in descending order, `[B, probes, steps]`.
        weights: how many of the n singular values a node stands for, `[B, probes, steps]`; those of
            a probe sum to n. (If m < n, n − m singular values are 0.)
        floor: `resolution` times the largest node, `[B]`; smaller σ cannot be told from 0.
        radau_nodes, radau_weights: the same of the rule that has one more node, fixed at 0. That
            node is left out; its weight is what those of a probe lack of n.
    """

    nodes: Float[np.ndarray, "images probes steps"]
    weights: Float[np.ndarray, "images probes steps"]
    floor: Float[np.ndarray, " images"]
    radau_nodes: Float[np.ndarray, "images probes steps"]
    radau_weights: Float[np.ndarray, "images probes steps"]


@one_blas_thread()
def spectral_quadrature(
    maps: LinearizedLayer, *, probes: int = 8, steps: int = 40, seed: int = 0
) -> SpectralQuadrature:
    """Gauss quadrature of the spectrum of `JᵀJ` by stochastic Lanczos (Ubaru, Chen & Saad 2017).

    For random z of ±1, the expectation of `zᵀ f(JᵀJ) z` is the sum of f over all n eigenvalues. The
    nodes and weights of a probe z are exact for polynomials f of degree `2·steps − 1`. They come
    from Golub–Kahan bidiagonalisation with full reorthogonalisation, so that no node is repeated.

    Args:
        maps: from `linearize`.
        probes: random vectors z.
        steps: pairs of products for each.
        seed: of the probes.

    Raises:
        ValueError: for no probe or no step, for more than n steps, and if the bases do not fit
            into memory.
    """
    n = maps.shape[1]
    if probes < 1 or not 1 <= steps <= n:
        raise ValueError(
            f"spectral quadrature takes a probe or more and 1 to {n} steps (the inputs), got"
            f" {probes} and {steps}"
        )
    require_bases(
        maps,
        min(_TOGETHER, probes),
        steps + 1,
        f"take fewer probes than {_TOGETHER}, fewer steps, or fewer images",
    )
    random = np.random.default_rng(seed)
    epsilon = float(np.finfo(maps.dtype).eps)
    starts = random.choice([-1.0, 1.0], size=(probes, maps.images, 1, n))
    rules: list[list[tuple[np.ndarray, ...]]] = []
    for first in range(0, probes, _TOGETHER):
        together = starts[first : first + _TOGETHER]
        groups = [
            [KrylovSpace(start, random, epsilon) for start in of_probe] for of_probe in together
        ]
        for _ in range(steps):
            extend(maps, groups)
        rules += [[(*space.quadrature(), *space.radau()) for space in group] for group in groups]
    nodes, weights, radau_nodes, radau_weights = (
        np.array([[rule[part] for rule in group] for group in rules]).swapaxes(0, 1)
        for part in range(4)
    )
    floor = resolution(maps) * nodes.max((1, 2))
    return SpectralQuadrature(nodes, n * weights, floor, radau_nodes, n * radau_weights)


class Counts(NamedTuple):
    """How many singular values lie above each threshold, `[B, thresholds]` each.

    Fields:
        low, high: a lower and an upper bound, as means over the probes.
        error: the standard error over the probes; NaN for a single probe. It does not include the
            distance of the bounds, which more steps reduce, not more probes.
        below_floor: whether the threshold is below what can be told from 0. The count is then the
            number of singular values that can be told from 0.
    """

    low: Float[np.ndarray, "images thresholds"]
    high: Float[np.ndarray, "images thresholds"]
    error: Float[np.ndarray, "images thresholds"]
    below_floor: Bool[np.ndarray, "images thresholds"]


def count_above(quadrature: SpectralQuadrature, thresholds: ArrayLike) -> Counts:
    """How many singular values lie above thresholds, with bounds.

    For each probe, two sums of weights enclose `zᵀ 1[JᵀJ > ε²] z`, by the inequalities of
    Chebyshev, Markov and Stieltjes: the sum over all nodes above ε but the last one, and the sum
    over one node more than these. Only the mean over probes is random.

    Args:
        quadrature: from `spectral_quadrature`.
        thresholds: ε in units of σ, `[thresholds]` for all images or `[B, thresholds]`.
    """
    levels = _levels(quadrature, thresholds)
    low, high = bracket_above(quadrature, thresholds)
    probes = low.shape[1]
    middle = (low + high) / 2
    error = (
        middle.std(1, ddof=1) / np.sqrt(probes) if probes > 1 else np.full_like(low[:, 0], np.nan)
    )
    return Counts(low.mean(1), high.mean(1), error, levels < quadrature.floor[:, None])


def bracket_above(
    quadrature: SpectralQuadrature, thresholds: ArrayLike
) -> tuple[
    Float[np.ndarray, "images probes thresholds"], Float[np.ndarray, "images probes thresholds"]
]:
    """The lower and upper bound of `count_above` for each probe, before they are averaged."""
    nodes, weights = quadrature.nodes, quadrature.weights
    levels = np.maximum(_levels(quadrature, thresholds), quadrature.floor[:, None])
    above = (nodes[..., None] > levels[:, None, None]).sum(2)
    sums = np.concatenate([np.zeros((*weights.shape[:2], 1)), weights.cumsum(2)], 2)
    steps = nodes.shape[2]
    low = np.take_along_axis(sums, np.maximum(above - 1, 0), 2)
    high = np.take_along_axis(sums, np.minimum(above + 1, steps), 2)
    return low, high


def _levels(quadrature: SpectralQuadrature, thresholds: ArrayLike) -> np.ndarray:
    """The thresholds of each image, `[B, thresholds]`."""
    levels = np.atleast_1d(np.asarray(thresholds, float))
    return np.broadcast_to(levels, (len(quadrature.nodes), levels.shape[-1]))
