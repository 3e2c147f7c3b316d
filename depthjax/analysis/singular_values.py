"""What the singular values of a layer's Jacobian are, in the numbers that are reported of it.

One record, whether all singular values were computed (small inputs) or none but the largest, with
random probes for the rest (any size): where numbers are certain, errors are 0 and brackets closed.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from depthjax.devices.precision import matmul_precision
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
from depthjax.typing import LayerFn, Variables

LEVELS = tuple(10.0**-power for power in range(1, 7))
"""Fractions of σ₁ above which singular values are counted."""

DENSE_FLOOR = 1e-13
"""σ / σ₁ below which a dense decomposition in float64 tells nothing."""


class LayerSpectrum(NamedTuple):
    """The spectrum of a layer at B images.

    Fields:
        inputs, outputs: n and m.
        largest: σ₁, `[B]`.
        stable_rank: `‖J‖_F² / σ₁²`.
        participation_ratio: `(Σσ²)² / Σσ⁴`.
        counts: above `LEVELS` times σ₁, `[B, levels]`.
        least: the least singular value above the floor, or an upper bound on it, `[B]`.
        condition_low, condition_high: an interval of κ on the row space, `[B]`.
        values: all singular values in falling order, `[B, min(m, n)]`, or None.
        top: the largest with their vectors, or None.
        quadrature: what counts at other thresholds come from, or None.
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
    """The spectrum from all singular values in float64; for small inputs.

    Args:
        layer, variables, images: as in `depthjax.jacobian.linearize`; `[B, H, W, C]`.

    Raises:
        ValueError: as `depthjax.jacobian.dense_singular_values`; for a Jacobian that is 0.
    """
    outputs = jax.eval_shape(layer, variables, jnp.asarray(images)).shape[1:]
    values = dense_singular_values(layer, variables, images)
    return spectrum_from_values(values, int(np.prod(np.shape(images)[1:])), int(np.prod(outputs)))


def spectrum_from_values(
    values: Float[np.ndarray, "images r"], inputs: int, outputs: int
) -> LayerSpectrum:
    """The record of singular values that are all known.

    Args:
        values: in falling order.
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


def probed_spectrum(
    key: Array,
    layer: LayerFn,
    variables: Variables,
    images: ArrayLike,
    *,
    k: int = 10,
    most: int = 80,
    probes: int = 8,
    steps: int = 24,
    moment_probes: int = 16,
) -> LayerSpectrum:
    """The spectrum as products `J v` and `Jᵀ u` show it, at any size.

    Args:
        key: of the probes, a `jax.random.key`.
        layer, variables, images: as in `depthjax.jacobian.linearize`.
        k: how many of the largest singular values.
        most: pairs of products for these, and as many for the least.
        probes, steps: of the quadrature.
        moment_probes: of the moments.

    Raises:
        ValueError: as the functions of `depthjax.jacobian`.
    """
    maps = linearize(layer, variables, images)
    seed = int(jax.random.randint(key, (), 0, 2**31 - 1))
    outputs, inputs = maps.shape
    k = min(k, outputs, inputs)
    top = top_singular_values(maps, k, most=max(most, k + 4), seed=seed)
    largest = top.values[:, 0]
    size = moments(maps, key, probes=moment_probes)
    found = spectral_quadrature(maps, probes=probes, steps=min(steps, inputs), seed=seed)
    small = smallest_nonzero(maps, most=most, seed=seed)
    kappa = condition_number(maps, small)
    low, high = kappa.on_row_space
    return LayerSpectrum(
        inputs,
        outputs,
        largest,
        stable_rank(size, largest),
        size.participation_ratio,
        count_above(found, largest[:, None] * np.asarray(LEVELS)),
        small.upper,
        low,
        high,
        top=top,
        quadrature=found,
    )


class SpectralCurve(NamedTuple):
    """How many singular values of one image lie above each fraction of σ₁.

    Fields:
        levels: σ / σ₁, falling.
        low, high: how many lie above it (or on it, where all are known) at least and at most.
    """

    levels: Float[np.ndarray, " points"]
    low: Float[np.ndarray, " points"]
    high: Float[np.ndarray, " points"]


def spectral_curve(spectrum: LayerSpectrum, image: int = 0) -> SpectralCurve:
    """The whole spectrum of one image, to be drawn and asked for the value of any rank.

    Args:
        spectrum: of a layer.
        image: which of the batch.
    """
    if spectrum.values is not None:
        values = spectrum.values[image]
        rank = np.arange(1, len(values) + 1, dtype=float)
        return SpectralCurve(values / values[0], rank, rank)
    assert spectrum.quadrature is not None
    levels = np.geomspace(1, 1e-6, 121)
    counts = count_above(spectrum.quadrature, spectrum.largest[:, None] * levels)
    return SpectralCurve(levels, counts.low[image], counts.high[image])


def level_at_rank(curve: SpectralCurve, rank: int) -> tuple[float, float]:
    """Between which fractions of σ₁ the singular value of a rank lies.

    Args:
        curve: from `spectral_curve`.
        rank: from 1.

    Returns:
        Two equal numbers where all singular values are known; else the ends of the mean bracket.
        0 where that many were not told from 0.

    Raises:
        ValueError: for a rank below 1.
    """
    if rank < 1:
        raise ValueError(f"ranks begin at 1, got {rank}")
    ends = []
    for count in (curve.low, curve.high):
        enough = np.flatnonzero((count >= rank) & (curve.levels > DENSE_FLOOR))
        ends.append(float(curve.levels[enough[0]]) if len(enough) else 0.0)
    return ends[0], ends[1]


def ball_section(
    layer: LayerFn,
    variables: Variables,
    image: ArrayLike,
    *,
    radius: float = 1 / 255,
    points: int = 48,
    seed: int = 0,
) -> tuple[Float[np.ndarray, "points 2"], Float[np.ndarray, "points 2"]]:
    """What becomes of a small circle of inputs around an image: by its Jacobian, and measured.

    The circle lies in the plane of the most stretched direction and a random one. Where a layer
    stretches few directions much more than the others, its image is a needle: the ball has spikes.

    Args:
        layer, variables: as in `depthjax.jacobian.linearize`.
        image: `[1, H, W, C]`.
        radius: root mean square of the change of pixels; one grey level by default.
        points: on the circle.
        seed: of the random direction.

    Returns:
        Changes of the embedding over σ₁ times the radius, along the image of the most stretched
        direction and across it.
    """
    pixels = jnp.asarray(image)
    maps = linearize(layer, variables, pixels)
    top = top_singular_values(maps, 1, most=20)
    first, axis, largest = top.right[0, 0], top.left[0, 0], top.values[0, 0]
    second = np.random.default_rng(seed).standard_normal(first.size)
    second -= (second @ first) * first
    second /= np.linalg.norm(second)
    pushed = np.asarray(maps.jvp(jnp.asarray(second[None], pixels.dtype)), np.float64)[0]
    across = pushed - (pushed @ axis) * axis
    across /= max(np.linalg.norm(across), 1e-300)
    axes = np.stack([axis, across], 1)
    angles = np.linspace(0, 2 * np.pi, points, endpoint=False)
    linear = np.stack([np.cos(angles), np.sin(angles) * (pushed @ across) / largest], 1)
    circle = np.cos(angles)[:, None] * first + np.sin(angles)[:, None] * second
    length = radius * np.sqrt(first.size)
    with matmul_precision():
        here = layer(variables, pixels)
        moved = [
            np.asarray(layer(variables, pixels + step) - here, np.float64).ravel()
            for step in (length * circle).reshape(points, *pixels.shape).astype(pixels.dtype)
        ]
    return linear, np.stack(moved) @ axes / (length * largest)
