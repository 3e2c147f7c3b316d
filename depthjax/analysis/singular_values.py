"""The singular values of a layer's Jacobian, summarised: ranks, counts, condition number.

The summary has the same form for small inputs, where all singular values are computed, and for any
size, where the largest are computed and random probes estimate the rest. Numbers that are exact
have an error of 0, and an interval of length 0.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from depthjax.jacobian import (
    Counts,
    Estimate,
    SpectralQuadrature,
    condition_number,
    count_above,
    dense_singular_values,
    linearize,
    moments,
    smallest_nonzero,
    spectral_quadrature,
    stable_rank,
    top_singular_values,
)
from depthjax.jacobian.top import TopSingular
from depthjax.models.embeddings import embedding_shape
from depthjax.typing import LayerFn, Variables

LEVELS = tuple(10.0**-power for power in range(1, 7))
"""Thresholds σ / σ₁ above which singular values are counted."""

DENSE_FLOOR = 1e-13
"""σ / σ₁ below which a dense decomposition in float64 shows only rounding errors."""


class LayerSpectrum(NamedTuple):
    """The singular values of the Jacobians of a layer at B images.

    Fields:
        inputs, outputs: n and m, the elements of an image and of an embedding.
        largest: σ₁, `[B]`.
        stable_rank: `‖J‖_F² / σ₁²`.
        participation_ratio: `(Σσ²)² / Σσ⁴`.
        counts: of the singular values above `LEVELS` times σ₁, `[B, levels]`.
        least: the smallest singular value above the rounding errors, or an upper bound on the
            smallest one that is not 0, `[B]`.
        condition_low, condition_high: an interval that holds κ on the row space, `[B]`.
        values: all singular values in descending order, `[B, min(m, n)]`; None if not computed.
        top: the largest singular values with their vectors; None if all were computed.
        quadrature: from which counts at other thresholds follow; None if all were computed.
    """

    inputs: int
    outputs: int
    largest: Float[np.ndarray, " images"]
    stable_rank: Estimate
    participation_ratio: Estimate
    counts: Counts
    least: Float[np.ndarray, " images"]
    condition_low: Float[np.ndarray, " images"]
    condition_high: Float[np.ndarray, " images"]
    values: Float[np.ndarray, "images r"] | None = None
    top: TopSingular | None = None
    quadrature: SpectralQuadrature | None = None


def dense_spectrum(layer: LayerFn, variables: Variables, images: ArrayLike) -> LayerSpectrum:
    """The spectrum from a dense singular value decomposition in float64; for small inputs.

    Args:
        layer, variables: as in `depthjax.jacobian.linearize`.
        images: `[B, H, W, C]`.

    Raises:
        ValueError: as `depthjax.jacobian.dense_singular_values`; for a Jacobian that is 0.
    """
    outputs = embedding_shape(layer, variables, np.asarray(images)).shape[1:]
    values = dense_singular_values(layer, variables, images)
    return spectrum_from_values(values, int(np.prod(np.shape(images)[1:])), int(np.prod(outputs)))


def spectrum_from_values(
    values: Float[np.ndarray, "images r"], inputs: int, outputs: int
) -> LayerSpectrum:
    """The spectrum of Jacobians whose singular values are all known.

    Args:
        values: in descending order, `[B, min(m, n)]`, float64.
        inputs, outputs: n and m.

    Raises:
        ValueError: for a Jacobian that is 0.
    """
    largest = values[:, 0]
    if not (largest > 0).all():
        raise ValueError("the Jacobian is 0 at one of the images; choose others or another layer")
    square = np.square(values)
    none = np.zeros(len(values))
    above = (values[:, None] > np.asarray(LEVELS)[:, None] * largest[:, None, None]).sum(2)
    held = values > DENSE_FLOOR * largest[:, None]
    least = np.where(held, values, np.inf).min(1)
    kappa = largest / least
    return LayerSpectrum(
        inputs,
        outputs,
        largest,
        Estimate(square.sum(1) / square[:, 0], none),
        Estimate(square.sum(1) ** 2 / np.square(square).sum(1), none),
        Counts(
            above.astype(float),
            above.astype(float),
            np.zeros(above.shape),
            np.zeros(above.shape, bool),
        ),
        least,
        kappa,
        kappa,
        values=values,
    )


@dataclass(frozen=True)
class Probing:
    """How much work is spent on a spectrum that is not computed in full.

    Fields:
        values: how many of the largest singular values are computed.
        products: pairs of products `J v` and `Jᵀ u` for these, and as many for the smallest one.
        probes: random vectors of the quadrature, which counts singular values.
        steps: pairs of products for each of these.
        moment_probes: random vectors for the stable rank and the participation ratio.
    """

    values: int = 10
    products: int = 80
    probes: int = 8
    steps: int = 24
    moment_probes: int = 16


_PROBING = Probing()


def probed_spectrum(
    key: Array,
    layer: LayerFn,
    variables: Variables,
    images: ArrayLike,
    probing: Probing = _PROBING,
) -> LayerSpectrum:
    """The spectrum from products `J v` and `Jᵀ u` alone, for inputs of any size.

    Args:
        key: of the random vectors, a `jax.random.key`.
        layer, variables: as in `depthjax.jacobian.linearize`.
        images: `[B, H, W, C]`.
        probing: how many products.

    Raises:
        ValueError: as the functions of `depthjax.jacobian`.
    """
    maps = linearize(layer, variables, images)
    seed = int(jax.random.randint(key, (), 0, 2**31 - 1))
    outputs, inputs = maps.shape
    k = min(probing.values, outputs, inputs)
    top = top_singular_values(maps, k, most=max(probing.products, k + 4), seed=seed)
    largest = top.values[:, 0]
    size = moments(maps, key, probes=probing.moment_probes)
    quadrature = spectral_quadrature(
        maps, probes=probing.probes, steps=min(probing.steps, inputs), seed=seed
    )
    small = smallest_nonzero(maps, most=probing.products, seed=seed)
    low, high = condition_number(maps, small).on_row_space
    return LayerSpectrum(
        inputs,
        outputs,
        largest,
        stable_rank(size, largest),
        size.participation_ratio,
        count_above(quadrature, largest[:, None] * np.asarray(LEVELS)),
        small.upper,
        low,
        high,
        top=top,
        quadrature=quadrature,
    )


class SpectralCurve(NamedTuple):
    """How many singular values of one image lie above a threshold, for many thresholds.

    Fields:
        levels: thresholds σ / σ₁, descending, `[points]`.
        low, high: the smallest and largest possible count, `[points]`.
        exact: whether the thresholds are the singular values themselves, and each counts itself.
    """

    levels: Float[np.ndarray, " points"]
    low: Float[np.ndarray, " points"]
    high: Float[np.ndarray, " points"]
    exact: bool = False

    def lists(self) -> list[list[float]]:
        """Thresholds and both counts, for JSON."""
        return [self.levels.tolist(), self.low.tolist(), self.high.tolist()]


def spectral_curve(spectrum: LayerSpectrum) -> SpectralCurve:
    """The spectrum of the first image as a curve, for figures and for `level_at_rank`.

    Args:
        spectrum: of a layer.
    """
    if spectrum.values is not None:
        values = spectrum.values[0]
        rank = np.arange(1, len(values) + 1, dtype=float)
        return SpectralCurve(values / values[0], rank, rank, exact=True)
    assert spectrum.quadrature is not None
    levels = np.geomspace(1, 1e-6, 121)
    counts = count_above(spectrum.quadrature, spectrum.largest[:, None] * levels)
    return SpectralCurve(levels, counts.low[0], counts.high[0])


def level_at_rank(curve: SpectralCurve, rank: int) -> tuple[float, float]:
    """An interval that holds σ_rank / σ₁, the singular value of a given rank.

    Args:
        curve: from `spectral_curve`.
        rank: 1 for the largest.

    Returns:
        Its ends, which are equal where all singular values are known: 0 where fewer than `rank` of
        them can be told from 0. Otherwise the lower end is 0, and the upper end the lowest
        threshold, where the counts do not reach the rank.

    Raises:
        ValueError: for a rank below 1.
    """
    if rank < 1:
        raise ValueError(f"ranks begin at 1, got {rank}")
    known = curve.levels > DENSE_FLOOR
    enough, perhaps = (np.flatnonzero((count >= rank) & known) for count in (curve.low, curve.high))
    low = float(curve.levels[enough[0]]) if len(enough) else 0.0
    if not len(perhaps):  # below all thresholds
        return low, 0.0 if curve.exact else float(curve.levels[known].min())
    # Fewer than `rank` lie above the threshold before, so this one does not.
    return low, float(curve.levels[max(0, perhaps[0] - (not curve.exact))])
