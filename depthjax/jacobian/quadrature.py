"""How the singular values are distributed: stochastic Lanczos quadrature, with brackets."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike

from depthjax.jacobian.krylov import KrylovSpace, extend, one_blas_thread, require_bases
from depthjax.jacobian.linearization import LinearizedLayer, resolution


class SpectralQuadrature(NamedTuple):
    """How the singular values lie, as a few random vectors see it.

    Fields:
        nodes: σ in falling order, `[B, probes, steps]`.
        weights: how many of the n singular values each stands for, likewise; n in all (where J is
            wide, n − m of them are 0).
        floor: σ below which rounding hides what is there, `[B]`: `resolution` times the largest.
    """

    nodes: Float[np.ndarray, "images probes steps"]
    weights: Float[np.ndarray, "images probes steps"]
    floor: Float[np.ndarray, " images"]


@one_blas_thread()
def spectral_quadrature(
    maps: LinearizedLayer, *, probes: int = 8, steps: int = 40, block: int = 8, seed: int = 0
) -> SpectralQuadrature:
    """Gauss quadrature of the spectrum of `JᵀJ` by stochastic Lanczos, through Golub–Kahan.

    For random z of ±1, `zᵀ f(JᵀJ) z` is in the mean the sum of f over all n eigenvalues; each probe
    gives nodes and weights that are exact for polynomials of degree `2·steps − 1` (Ubaru, Chen &
    Saad 2017; with full reorthogonalisation, so that no node is there twice).

    Args:
        maps: from `linearize`.
        probes: random vectors.
        steps: pairs of products for each.
        block: probes whose products run at once; their bases are kept together, too.
        seed: of the probes.

    Raises:
        ValueError: for no probe or no step, for more steps than n, and if the bases do not fit
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
        min(block, probes),
        steps + 1,
        f"take fewer probes at once than block={block}, fewer steps, or fewer images",
    )
    random = np.random.default_rng(seed)
    epsilon = float(np.finfo(maps.dtype).eps)
    starts = random.choice([-1.0, 1.0], size=(probes, maps.images, 1, n))
    found: list[list[tuple[np.ndarray, np.ndarray]]] = []
    for first in range(0, probes, block):
        together = starts[first : first + block]
        groups = [[KrylovSpace(start, random, epsilon) for start in each] for each in together]
        for _ in range(steps):
            extend(maps, groups)
        found += [[space.quadrature() for space in group] for group in groups]
    nodes, weights = (
        np.array([[pair[side] for pair in group] for group in found]).swapaxes(0, 1)
        for side in (0, 1)
    )
    return SpectralQuadrature(nodes, n * weights, resolution(maps) * nodes.max((1, 2)))


class Counts(NamedTuple):
    """How many singular values lie above each threshold, `[B, thresholds]` each.

    Fields:
        low, high: a bracket: the means over the probes of what each of them sees lie within.
        error: standard error of that over the probes; NaN for a single one. It says nothing of the
            bracket's width, which more steps make smaller, not more probes.
        below_floor: whether the threshold is one that rounding hides; the count then says how many
            singular values were told from 0, not how many there are.
    """

    low: Float[np.ndarray, "images thresholds"]
    high: Float[np.ndarray, "images thresholds"]
    error: Float[np.ndarray, "images thresholds"]
    below_floor: Bool[np.ndarray, "images thresholds"]


def count_above(found: SpectralQuadrature, thresholds: ArrayLike) -> Counts:
    """How many singular values lie above thresholds, with what is certain of it.

    For each probe, `zᵀ 1[JᵀJ > ε²] z` lies between two sums of its weights, by the inequalities of
    Chebyshev, Markov and Stieltjes: all but the last node above, and one node more. Only the mean
    over probes is random.

    Args:
        found: from `spectral_quadrature`.
        thresholds: ε, absolute, the same for all images `[thresholds]` or `[B, thresholds]`; `σ₁`
            times powers of ten, say.
    """
    levels = _levels(found, thresholds)
    low, high = bracket_above(found, thresholds)
    probes = low.shape[1]
    middle = (low + high) / 2
    error = (
        middle.std(1, ddof=1) / np.sqrt(probes) if probes > 1 else np.full_like(low[:, 0], np.nan)
    )
    return Counts(low.mean(1), high.mean(1), error, levels < found.floor[:, None])


def bracket_above(
    found: SpectralQuadrature, thresholds: ArrayLike
) -> tuple[
    Float[np.ndarray, "images probes thresholds"], Float[np.ndarray, "images probes thresholds"]
]:
    """The bracket of `count_above` for each probe by itself."""
    nodes, weights, _ = found
    above = (nodes[..., None] > _levels(found, thresholds)[:, None, None]).sum(2)
    sums = np.concatenate([np.zeros((*weights.shape[:2], 1)), weights.cumsum(2)], 2)
    steps = nodes.shape[2]
    low = np.take_along_axis(sums, np.maximum(above - 1, 0), 2)
    high = np.take_along_axis(sums, np.minimum(above + 1, steps), 2)
    return low, high


def _levels(found: SpectralQuadrature, thresholds: ArrayLike) -> np.ndarray:
    """`[B, thresholds]`."""
    levels = np.atleast_1d(np.asarray(thresholds, float))
    return np.broadcast_to(levels, (len(found.nodes), levels.shape[-1]))


def spectral_density(
    found: SpectralQuadrature, values: ArrayLike, *, width: float = 0.1
) -> Float[np.ndarray, "images points"]:
    """How many singular values lie in a decade around each value, smoothed; for drawing.

    `Σ w N(log₁₀ σ − log₁₀ node; width)`, the mean over probes. What lies below the floor is left
    out, so the integral over log₁₀ σ is the number of singular values above it.

    Args:
        found: from `spectral_quadrature`.
        values: σ > 0, `[points]`, evenly spaced in the logarithm if they are to be drawn.
        width: of the bell that each node becomes, in decades.
    """
    nodes, weights, floor = found
    held = nodes > floor[:, None, None]
    where = np.log10(np.where(held, nodes, 1.0))
    distance = (np.log10(np.asarray(values, float)) - where[..., None]) / width
    bell = np.exp(-(distance**2) / 2) / (width * np.sqrt(2 * np.pi))
    return (np.where(held, weights, 0.0)[..., None] * bell).sum(2).mean(1)
