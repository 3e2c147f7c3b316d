"""Distances and ratios: how near the embedding is, how near the image, against what scale.

The names and symbols are the paper's: a target, a_g recovered, a' shifted reference (a plus noise),
m_g, m_r, m_i, m_i' the distances, ρ = m_g / m_r and D = m_i / m_i'. All at `highest` precision.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import scipy
from jaxtyping import Array, Float

from depthjax.devices.precision import widened
from depthjax.inversion.objectives import distances
from depthjax.inversion.reference import (
    REFERENCE_STD,
    Reference,
    ReferenceNoise,
    checked_images,
    reference_distances,
)
from depthjax.models.embeddings import embed
from depthjax.typing import Embedding, Images, LayerFn, PerExample, Scalar, Variables

MATCHED_RATIOS = (1.0, 0.3, 0.1, 0.03)
"""The ρ at which input ratios of different layers can be compared."""

ELASTICITY_WINDOW = (0.03, 0.3)
"""The ρ between which it is asked whether D follows."""

BLUR_SIGMA = 8.0
"""Standard deviation in pixels of the blurred copy among the `baselines`."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Measurement:
    """Every distance and ratio of recovered images; each `[batch]` or `[restarts, batch]`.

    A ratio to 0 is infinite, and that of 0 to 0 NaN: ρ of a layer that is constant around a, all
    ratios to noise of standard deviation 0, m_g / ‖O(a)‖₂ of an embedding of zeros.

    Fields:
        embedding_distance: m_g = ‖O(a) − O(a_g)‖₂.
        reference_embedding_distance: m_r = ‖O(a) − O(a')‖₂, mean over draws.
        reference_embedding_distance_std: its standard deviation from draw to draw.
        embedding_ratio: ρ = m_g / m_r; at most 1 if a_g's embedding is nearer than a noisy copy's.
        relative_embedding_distance: m_g / ‖O(a)‖₂, comparable between networks.
        input_distance: m_i = ‖a − a_g‖₂.
        reference_input_distance: m_i' = ‖a − a'‖₂, mean over draws.
        input_ratio: D = m_i / m_i'.
        clipped_embedding_ratio, clipped_input_ratio: ρ and D after clipping to [0, 1].
        rounded_embedding_ratio, rounded_input_ratio: after clipping and rounding to 8 bits.
        out_of_range: share of elements of a_g outside [0, 1].
    """

    embedding_distance: Array
    reference_embedding_distance: Array
    reference_embedding_distance_std: Array
    embedding_ratio: Array
    relative_embedding_distance: Array
    input_distance: Array
    reference_input_distance: Array
    input_ratio: Array
    clipped_embedding_ratio: Array
    clipped_input_ratio: Array
    rounded_embedding_ratio: Array
    rounded_input_ratio: Array
    out_of_range: Array


def embedding_distances(
    layer: LayerFn, variables: Variables, a: Images, a_g: Float[Array, "*leading h w c"]
) -> Float[Array, "*leading"]:
    """m_g = ‖O(a) − O(a_g)‖₂ for `a` `[B, …]` and `a_g` `[B, …]` or `[restarts, B, …]`.

    Raises:
        ValueError: if the layer gives no embedding.
    """
    return _distances_to(embed(layer, variables, a), layer, variables, a_g)


def _distances_to(
    target: Embedding,
    layer: LayerFn,
    variables: Variables,
    a_g: Float[Array, "*leading h w c"],
) -> Float[Array, "*leading"]:
    """Of one restart after the other: memory, and the program, are those of the targets."""
    if a_g.ndim > 4:
        return jnp.stack([_distances_to(target, layer, variables, each) for each in a_g])
    return distances(embed(layer, variables, a_g), target)


def measure(
    layer: LayerFn,
    variables: Variables,
    a: Images,
    a_g: Float[Array, "*leading h w c"],
    reference_key: Array,
    *,
    reference_std: Scalar = REFERENCE_STD,
    draws: int = 8,
) -> Measurement:
    """All distances between targets and recovered images, at one layer. Pure.

    Args:
        layer, variables: the embedding, see `depthjax.typing.LayerFn`.
        a: targets `[B, H, W, C]` in [0, 1].
        a_g: recovered images, `[B, H, W, C]` or `[restarts, B, H, W, C]`; any range; half precision
            becomes float32.
        reference_key, reference_std, draws: of the noise, see `ReferenceNoise`.

    Returns:
        A `Measurement`: of the images as they are, after clipping, and after rounding to 8 bits.

    Raises:
        ValueError: if the layer gives no embedding, if targets are no images in [0, 1] (they are
            looked at on the host, unless JAX traces them), or if recovered images are no floats of
            their number and size.
    """
    if not isinstance(a, jax.core.Tracer):
        a = checked_images(a)
    if a_g.shape[-4:] != a.shape or 0 in a_g.shape or not jnp.issubdtype(a_g.dtype, jnp.floating):
        raise ValueError(
            f"recovered images of targets {a.shape} must be floats of that shape, or with restarts"
            f" before it, got {a_g.dtype} {a_g.shape}"
        )
    a_g = widened(a_g)  # or 8-bit pixels would be rounded to a coarser grid
    noise = ReferenceNoise(reference_key, reference_std, draws)
    return measure_against(
        reference_distances(layer, variables, a, noise), layer, variables, a, a_g
    )


def measure_against(
    reference: Reference,
    layer: LayerFn,
    variables: Variables,
    a: Images,
    a_g: Float[Array, "*leading h w c"],
    *,
    target: Embedding | None = None,
) -> Measurement:
    """`measure`, with reference distances, and perhaps O(a), that are known already."""
    target = embed(layer, variables, a) if target is None else target
    versions = _versions(a_g)
    embedding = [_distances_to(target, layer, variables, version) for version in versions]
    return _measurement(reference, embedding, a, versions)


@jax.jit
def _versions(a_g: Float[Array, "*leading h w c"]) -> list[Float[Array, "*leading h w c"]]:
    """Images as they are, after clipping, and after rounding to 8 bits."""
    clipped = jnp.clip(a_g, 0, 1)
    return [a_g, clipped, jnp.round(clipped * 255) / 255]


@jax.jit
def _measurement(
    reference: Reference,
    embedding: list[Float[Array, "*leading"]],
    a: Images,
    versions: list[Float[Array, "*leading h w c"]],
) -> Measurement:
    a_g = versions[0]
    inputs = [input_distances(a, version) for version in versions]
    rho = [_ratio(distance, reference.embedding_distance) for distance in embedding]
    d = [_ratio(distance, reference.input_distance) for distance in inputs]

    def everywhere(value: PerExample) -> Float[Array, "*leading"]:
        return jnp.broadcast_to(value, a_g.shape[:-3])

    return Measurement(
        embedding_distance=embedding[0],
        reference_embedding_distance=everywhere(reference.embedding_distance),
        reference_embedding_distance_std=everywhere(reference.embedding_distance_std),
        embedding_ratio=rho[0],
        relative_embedding_distance=_ratio(embedding[0], reference.embedding_norm),
        input_distance=inputs[0],
        reference_input_distance=everywhere(reference.input_distance),
        input_ratio=d[0],
        clipped_embedding_ratio=rho[1],
        clipped_input_ratio=d[1],
        rounded_embedding_ratio=rho[2],
        rounded_input_ratio=d[2],
        out_of_range=((a_g < 0) | (a_g > 1)).mean((-3, -2, -1)),
    )


@jax.jit
def input_distances(a: Images, a_g: Float[Array, "*leading h w c"]) -> Float[Array, "*leading"]:
    """m_i = ‖a − a_g‖₂ for `a` `[B, …]` and `a_g` `[B, …]` or `[restarts, B, …]`."""
    return jnp.sqrt(jnp.square(a_g - a.reshape(*[1] * (a_g.ndim - 4), *a.shape)).sum((-3, -2, -1)))


def _ratio(distance: Array, scale: PerExample) -> Array:
    return distance / scale.reshape(*[1] * (distance.ndim - 1), -1)


def input_ratio_at(
    embedding_ratio: Float[np.ndarray, "records *batch"],
    input_ratio: Float[np.ndarray, "records *batch"],
    levels: Sequence[float] = MATCHED_RATIOS,
) -> Float[np.ndarray, "levels *batch"]:
    """D where a descent first reaches each ρ, which layers and networks can be compared by.

    Between the two records around the crossing, log D is interpolated linearly in log ρ.

    Args:
        embedding_ratio: ρ of every record.
        input_ratio: D of every record.
        levels: the values of ρ.

    Returns:
        D for each level and descent; NaN where a descent never reached the level.
    """
    rho = np.asarray(embedding_ratio, float).reshape(len(embedding_ratio), -1)
    d = np.asarray(input_ratio, float).reshape(rho.shape)
    crossings = np.full((len(levels), rho.shape[1]), np.nan)
    for row, level in enumerate(levels):
        for column in range(rho.shape[1]):
            crossings[row, column] = _first_crossing(rho[:, column], d[:, column], level)
    return crossings.reshape(len(levels), *np.shape(embedding_ratio)[1:])


def _first_crossing(rho: np.ndarray, d: np.ndarray, level: float) -> float:
    below = np.flatnonzero(rho <= level)
    if not below.size:
        return np.nan
    after = below[0]
    before = after - 1
    if after == 0 or not rho[before] > rho[after] > 0 or d[before] <= 0 or d[after] <= 0:
        return float(d[after])
    weight = np.log(rho[before] / level) / np.log(rho[before] / rho[after])
    return float(d[before] ** (1 - weight) * d[after] ** weight)


def elasticity(
    embedding_ratio: Float[np.ndarray, "records *batch"],
    input_ratio: Float[np.ndarray, "records *batch"],
    window: tuple[float, float] = ELASTICITY_WINDOW,
) -> Float[np.ndarray, "*batch"]:
    """How much nearer the image comes as its embedding comes nearer: `d log D / d log ρ`.

    This is `[log D(high) − log D(low)] / log(high / low)`, where D(level) is D where the descent
    first reaches that ρ (`input_ratio_at`). It is 1 where the image comes nearer as fast as its
    embedding, 0 where it does not come nearer, and negative where it moves away, as in the paper's
    figures.

    Args:
        embedding_ratio: ρ of every record.
        input_ratio: D of every record.
        window: `low` and `high`, the ρ between which D is compared.

    Returns:
        An elasticity for each descent; NaN for one that did not pass the whole window: that began
        in it, or did not come to its lower end.
    """
    low, high = window
    above, below = input_ratio_at(embedding_ratio, input_ratio, (high, low))
    passed = np.asarray(embedding_ratio, float)[0] > high
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.log(above / below) / np.log(high / low)
    return np.asarray(np.where(passed & np.isfinite(found), found, np.nan))


def baselines(
    a: Images,
    start: Float[Array, "*leading h w c"],
    reference_input_distance: PerExample,
) -> dict[str, np.ndarray]:
    """D of three simple images, to compare the D of recovered images with.

    Args:
        a: targets `[B, H, W, C]`.
        start: where the descents began, `[B, …]` or `[restarts, B, …]`.
        reference_input_distance: m_i', `[B]`.

    Returns:
        `start` (shaped like the start's leading axes), `flat` (the target's mean colour
        everywhere) and `blur` (the target blurred), `[B]`.
    """
    target = np.asarray(a)
    scale = np.asarray(reference_input_distance)
    flat = np.broadcast_to(target.mean((1, 2), keepdims=True), target.shape)
    blurred = scipy.ndimage.gaussian_filter(target, (0, BLUR_SIGMA, BLUR_SIGMA, 0), mode="mirror")
    return {
        "start": np.asarray(input_distances(a, start)) / scale,
        "flat": np.linalg.norm((target - flat).reshape(len(target), -1), axis=1) / scale,
        "blur": np.linalg.norm((target - blurred).reshape(len(target), -1), axis=1) / scale,
    }
