"""Witnesses: images that differ visibly from another one, and that a layer takes for it.

The null space of the Jacobian describes a layer only close to an image. A witness lies farther
away: a walk follows the set of images with the same embedding, with Gauss–Newton corrections.
"""

from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from depthjax.analysis.witnesses.pairs import on_grid, pair_distances
from depthjax.devices.precision import compiler_options, matmul_precision
from depthjax.inversion import gauss_newton
from depthjax.inversion.coordinates import Coordinates
from depthjax.inversion.objectives import norms
from depthjax.inversion.reference import (
    REFERENCE_STD,
    ReferenceNoise,
    checked_images,
    checked_reference,
)
from depthjax.models.fast import prepare_layer
from depthjax.typing import Embedding, Images, LayerFn, PerExample, Scalar, Variables

WITNESS_RATIO = 0.1
"""The largest ρ at which a layer counts as unable to tell two images apart: a tenth of the noisy
copy's."""

_FIRST, _SHORTEST, _LONGEST = 0.03, 1e-4, 0.5
"""Root mean square length of the first stride, and the shortest and longest one allowed."""
_STRAIGHT = 16
"""Strides without corrections at the end of the walk."""
_DAMPING = 1e-3
"""Of the Gauss–Newton corrections: small, so that they reach the same embedding."""
_SLACK = 1e-3
"""The walk stays below the ratio by this fraction, for its prepared weights round differently."""


class Witness(NamedTuple):
    """Images that a layer takes for others, `[B, H, W, C]`, and their distances, `[B]`.

    Fields:
        targets: a, the images given, on the 8-bit grid.
        images: where the walk ended, before rounding; in [0, 1].
        rounded: x, the witness: the same images on the 8-bit grid. All distances are of these.
        embedding_ratio: ρ = ‖O(x) − O(a)‖ / m_r; at most the ratio asked for.
        input_ratio: D = ‖x − a‖ / m_i'; 0 where only the image itself was found.
        psnr: of x and a, in dB; infinity where both are equal.
        reference_embedding_distance: m_r.
    """

    targets: Float[np.ndarray, "batch height width channels"]
    images: Float[np.ndarray, "batch height width channels"]
    rounded: Float[np.ndarray, "batch height width channels"]
    embedding_ratio: Float[np.ndarray, " batch"]
    input_ratio: Float[np.ndarray, " batch"]
    psnr: Float[np.ndarray, " batch"]
    reference_embedding_distance: Float[np.ndarray, " batch"]


def null_space_witness(
    key: Array,
    layer: LayerFn,
    variables: Variables,
    images: ArrayLike,
    *,
    ratio: float = WITNESS_RATIO,
    towards: ArrayLike | None = None,
    steps: int = 80,
    corrections: int = 2,
    iterations: int = 8,
    reference_key: Array | None = None,
    reference_std: Scalar = REFERENCE_STD,
    draws: int = 8,
) -> Witness:
    """Walks away from images within [0, 1] while the layer cannot tell the rounded images apart.

    Each stride is straight: along `x − a` (at first to a random corner of the cube [0, 1]^n), or
    to `towards`. Some Gauss–Newton corrections follow: the shortest changes that bring the
    linearised embedding back to `O(a)`. They remove what does not lie in the null space of J, which
    is linearised anew each time; pixels at 0 or 1 are held there if a correction points outside.
    If ρ of the rounded image is then at most `ratio`, the stride is accepted and the next one is
    longer; otherwise it is undone and halved. The last strides have no corrections and use up what
    the ratio still allows. The target itself always qualifies: if a layer keeps all directions
    alike, D is at most `ratio`.

    Args:
        key: seeds the first direction, the same for all images (and the reference noise, unless
            `reference_key` is given).
        layer, variables: see `depthjax.typing.LayerFn`; examples of a batch must be independent.
        images: `[B, H, W, C]`, float, in [0, 1]; rounded to 8 bits here.
        ratio: the largest ρ of a witness. Rounding to 8 bits alone makes ρ about 0.02.
        towards: images to come close to, of the same shape; None: as far from `a` as possible.
        steps: strides.
        corrections: Gauss–Newton corrections after each stride.
        iterations: of conjugate gradients in each correction, with one product with J and one with
            Jᵀ each.
        reference_key, reference_std, draws: of m_r and m_i', see `ReferenceNoise`.

    Returns:
        Of all accepted strides the one farthest from `a`, or closest to `towards`.

    Raises:
        ValueError: for images that are not finite floats in [0, 1], or not of the shape of
            `towards`; for a ratio or numbers of steps that are not positive; for a constant layer.
    """
    targets = on_grid(checked_images(images))
    if not (ratio > 0 and min(steps, corrections, iterations) > 0):
        raise ValueError(
            f"ratio, steps, corrections and iterations must be positive, got {ratio}, {steps},"
            f" {corrections} and {iterations}"
        )
    start_key, default_reference_key = jax.random.split(key)
    noise_key = default_reference_key if reference_key is None else reference_key
    noise = ReferenceNoise(noise_key, reference_std, draws)
    reference = checked_reference(layer, variables, targets, noise)
    goal = _goal(start_key, targets, towards)
    radius = reference.embedding_distance * ratio * (1 - _SLACK)
    fast, weights = prepare_layer(layer, variables, targets)
    route = _Route(targets, goal, towards is None, radius)
    end = np.asarray(
        _compiled_walk(targets.dtype)(fast, weights, route, steps, corrections, iterations)
    )
    rounded = on_grid(end)
    rho, _, _ = pair_distances(layer, variables, targets, rounded, reference)
    # The layer itself has to confirm it at full precision; else the image is its own witness.
    confirmed = (rho <= ratio)[:, None, None, None]
    end, rounded = np.where(confirmed, end, targets), np.where(confirmed, rounded, targets)
    distances = pair_distances(layer, variables, targets, rounded, reference)
    scale = np.asarray(reference.embedding_distance)
    return Witness(targets, end, rounded, *distances, scale)


def _goal(key: Array, targets: np.ndarray, towards: ArrayLike | None) -> np.ndarray:
    """The images to walk to; without any, one random corner of the cube for all of them."""
    if towards is None:
        corner = jax.random.bernoulli(key, shape=targets.shape[1:])
        return np.broadcast_to(np.asarray(corner, targets.dtype), targets.shape)
    goal = np.asarray(checked_images(towards), targets.dtype)
    if goal.shape != targets.shape:
        raise ValueError(
            f"images are {targets.shape} and towards {goal.shape}; give one image to come near to"
            " for each"
        )
    return goal


class _Route(NamedTuple):
    """Where a walk starts and where it may go.

    Fields:
        targets: a, where it starts, `[B, H, W, C]`.
        goal: the images to walk to, `[B, H, W, C]`; if `away`, only the first direction.
        away: whether to walk as far from the targets as possible.
        radius: the largest distance of the embeddings, `[B]`.
    """

    targets: Any
    goal: Any
    away: Any
    radius: Any


@cache
def _compiled_walk(dtype: np.dtype) -> Any:
    """`_walk`, compiled with the options of the backend in use."""
    return jax.jit(_walk, static_argnums=(0, 4, 5), compiler_options=compiler_options(dtype))


def _walk(
    layer: LayerFn,
    variables: Variables,
    route: _Route,
    steps: Array | int,
    corrections: int,
    iterations: int,
) -> Images:
    """The best image of the walk before rounding, `[B, H, W, C]`."""
    targets, goal, away, radius = route
    embed = partial(layer, variables)
    damping = jnp.full_like(radius, _DAMPING)

    def correct(_: Any, x: Images) -> Images:
        embedding, pull = jax.vjp(embed, x)
        (down,) = pull(aim - embedding)
        held = ((x <= 0) & (down < 0)) | ((x >= 1) & (down > 0))
        free = (~held).astype(x.dtype)
        among_free = Coordinates(*[lambda d: free * d] * 3)
        _, step = gauss_newton.change(embed, x, aim, damping, among_free, iterations)
        return jnp.clip(x + step, 0, 1)

    def stride(corrections: int, _: Any, state: tuple[Array, ...]) -> tuple[Array, ...]:
        x, length, best, score = state
        outwards = jnp.where(_per_pixel(_rms(x - targets) > _FIRST / 3), x - targets, goal - x)
        direction = jnp.where(away, outwards, goal - x)
        size = _rms(direction)
        unit = direction / _per_pixel(jnp.where(size > 0, size, 1))
        # A stride ends at the goal at the latest.
        reach = jnp.where(away, length, jnp.minimum(length, size))
        moved = jnp.clip(x + _per_pixel(reach) * unit, 0, 1)
        moved = jax.lax.fori_loop(0, corrections, correct, moved)
        rounded = jnp.round(moved * 255) / 255
        accepted = norms(embed(rounded) - aim) <= radius
        x = jnp.where(_per_pixel(accepted), moved, x)
        longer = jnp.where(accepted, 1.5 * length, 0.5 * length)
        new = jnp.where(away, _rms(rounded - targets), -_rms(rounded - goal))
        better = accepted & (new > score)
        best = jnp.where(_per_pixel(better), moved, best)
        score = jnp.where(better, new, score)
        return x, jnp.clip(longer, _SHORTEST, _LONGEST), best, score

    with matmul_precision():
        aim: Embedding = embed(targets)
        first = jnp.full_like(radius, _FIRST)
        score = jnp.where(away, 0, -_rms(targets - goal))
        state = targets, first, targets, score
        _, _, best, score = jax.lax.fori_loop(0, steps, partial(stride, corrections), state)
        # Corrections end well within the ratio; strides without them use up the rest.
        state = best, first, best, score
        return jax.lax.fori_loop(0, _STRAIGHT, partial(stride, 0), state)[2]


def _rms(images: Images) -> PerExample:
    return jnp.sqrt(jnp.square(images).mean((1, 2, 3)))


def _per_pixel(values: Array) -> Array:
    return values[:, None, None, None]
