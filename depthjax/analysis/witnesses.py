"""Witnesses of what a layer keeps: pairs of 8-bit images that it cannot tell apart, or can best.

That a layer's Jacobian has a null space is an argument; two picture files that differ visibly and
have the same embedding are evidence that anybody can check. The null space itself holds only near
an image, so a witness is walked to along the level set of the embedding, by Gauss–Newton.

    far = null_space_witness(key, layer, variables, images)                     # as far as it goes
    other = null_space_witness(key, layer, variables, images, towards=photographs)
    seen = eigendistortions(layer, variables, images, k=3)                       # the opposite

Images are brought to the 8-bit grid first and so is what is found: all numbers are those of what
`depthjax.images.save_png` writes. ρ and D are those of `depthjax.inversion.metrics`.
"""

from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from depthjax.devices.precision import compiler_options, matmul_precision
from depthjax.images import to_uint8
from depthjax.inversion import gauss_newton
from depthjax.inversion.autoencoding import checked_images, checked_reference
from depthjax.inversion.metrics import REFERENCE_STD, Reference, embedding_distances
from depthjax.inversion.objectives import norms
from depthjax.jacobian import linearize, top_singular_values
from depthjax.typing import Embedding, Images, LayerFn, PerExample, Scalar, Variables

WITNESS_RATIO = 0.1
"""ρ up to which a layer counts as not telling two images apart: a tenth of a noisy copy's."""

_FIRST, _SHORTEST, _LONGEST = 0.03, 1e-4, 0.5
"""RMSE of a stride of the walk."""
_STRAIGHT = 16
"""Strides at the end that are not corrected."""
_DAMPING = 1e-3
"""Of the corrections: small, so that they go to the level set and not only near it."""
_SLACK = 1e-3
"""Of the ratio: the walk runs on prepared weights, which round otherwise than the layer's own."""


class Witness(NamedTuple):
    """Images that a layer takes for others; `[B, H, W, C]` and `[B]`.

    Fields:
        targets: a, the images given, on the 8-bit grid.
        images: where the walk ended, before rounding; in [0, 1].
        rounded: the same on the 8-bit grid: the witness. All numbers are of this.
        embedding_ratio: ρ = ‖O(x) − O(a)‖ / m_r; at most the ratio asked for.
        input_ratio: D = ‖x − a‖ / m_i'; 0 where nothing but the image itself was found.
        psnr: of the pair, in dB; infinite where both are the same.
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
    """Walks away from images inside [0, 1] while the layer, after rounding, cannot tell.

    A stride goes straight: along `x − a` (first to a random corner of the box), or to `towards`. A
    few Gauss–Newton corrections, the shortest changes that bring the linearised embedding back to
    `O(a)`, then leave of it what lies in the null space of J, relinearised each time, with pixels
    held at 0 and 1 where a correction would take them outside. Where ρ of the rounded image is at
    most `ratio` the stride counts and the next is longer, else it is taken back and halved. Last
    strides go without corrections, to the edge of the ratio. The target itself is always a valid
    end: of a layer that keeps all directions alike there is none but those with D at most `ratio`.

    Args:
        key: seeds the first direction, one for all images (and the reference, unless
            `reference_key` is given).
        layer, variables: see `depthjax.typing.LayerFn`; examples of a batch must be independent.
        images: `[B, H, W, C]`, float, in [0, 1]; rounded to 8 bits here.
        ratio: ρ that a witness may have. Rounding alone makes about 0.02.
        towards: images to come near to, shaped like `images`; None: as far from `a` as possible.
        steps: strides.
        corrections: Gauss–Newton corrections after each.
        iterations: of conjugate gradients in each, products with J and Jᵀ.
        reference_key, reference_std, draws: of m_r and m_i', see `metrics.reference_distances`.

    Returns:
        A `Witness`; the farthest of all strides that counted, or the one nearest to `towards`.

    Raises:
        ValueError: for images that are not finite floats in [0, 1], or of other shapes than
            `towards`; for a ratio or numbers of steps that are not positive; for a layer that is
            constant.
    """
    targets = _on_grid(checked_images(images))
    if not (ratio > 0 and min(steps, corrections, iterations) > 0):
        raise ValueError(
            f"ratio, steps, corrections and iterations must be positive, got {ratio}, {steps},"
            f" {corrections} and {iterations}"
        )
    start_key, default_reference_key = jax.random.split(key)
    reference = checked_reference(
        *(layer, variables, targets),
        default_reference_key if reference_key is None else reference_key,
        reference_std=reference_std,
        draws=draws,
    )
    if towards is None:
        corner = jax.random.bernoulli(start_key, shape=targets.shape[1:])
        goal = np.broadcast_to(np.asarray(corner, targets.dtype), targets.shape)
    else:
        goal = np.asarray(checked_images(towards), targets.dtype)
    if goal.shape != targets.shape:
        raise ValueError(
            f"images are {targets.shape} and towards {goal.shape}; give one image to come near to"
            " for each"
        )
    prepare = getattr(layer, "prepare", None)
    fast, weights = prepare(variables) if prepare else (layer, variables)
    found = np.asarray(
        _walk()(
            *(fast, weights, targets, goal, towards is None),
            reference.embedding_distance * ratio * (1 - _SLACK),
            steps,
            corrections,
            iterations,
        )
    )
    rounded = _on_grid(found)
    rho, _, _ = _numbers(layer, variables, targets, rounded, reference)
    # What the layer itself, at full precision, does not confirm is no witness.
    kept = (rho <= ratio)[:, None, None, None]
    found, rounded = np.where(kept, found, targets), np.where(kept, rounded, targets)
    numbers = _numbers(layer, variables, targets, rounded, reference)
    scale = np.asarray(reference.embedding_distance)
    return Witness(targets, found, rounded, *numbers, scale)


@cache
def _walk() -> Any:
    """`_walked`, compiled with the options of the backend in use."""
    return jax.jit(_walked, static_argnums=(0, 7, 8), compiler_options=compiler_options())


def _walked(
    layer: LayerFn,
    variables: Variables,
    targets: Images,
    goal: Images,
    away: Array | bool,
    radius: PerExample,
    steps: Array | int,
    corrections: int,
    iterations: int,
) -> Images:
    """Where the walk ends: before rounding, but with rounded images nowhere beyond the radius.

    `away`: from the targets, with `goal` for a first direction; else to the goal.
    """
    embed = partial(layer, variables)
    damping = jnp.full_like(radius, _DAMPING)

    def correct(_: Any, x: Images) -> Images:
        embedding, pull = jax.vjp(embed, x)
        (down,) = pull(aim - embedding)
        held = ((x <= 0) & (down < 0)) | ((x >= 1) & (down > 0))
        free = (~held).astype(x.dtype)
        among_free = gauss_newton.Coordinates(lambda d: free * d, lambda d: free * d)
        _, step = gauss_newton.change(embed, x, aim, damping, among_free, iterations)
        return jnp.clip(x + step, 0, 1)

    def stride(corrections: int, _: Any, state: tuple[Array, ...]) -> tuple[Array, ...]:
        x, length, best, score = state
        outwards = jnp.where(_each(_rms(x - targets) > _FIRST / 3), x - targets, goal - x)
        direction = jnp.where(away, outwards, goal - x)
        size = _rms(direction)
        unit = direction / _each(jnp.where(size > 0, size, 1))
        # No farther than to the goal itself.
        reach = jnp.where(away, length, jnp.minimum(length, size))
        moved = jnp.clip(x + _each(reach) * unit, 0, 1)
        moved = jax.lax.fori_loop(0, corrections, correct, moved)
        rounded = jnp.round(moved * 255) / 255
        counts = norms(embed(rounded) - aim) <= radius
        x = jnp.where(_each(counts), moved, x)
        longer = jnp.where(counts, 1.5 * length, 0.5 * length)
        new = jnp.where(away, _rms(rounded - targets), -_rms(rounded - goal))
        better = counts & (new > score)
        best = jnp.where(_each(better), moved, best)
        score = jnp.where(better, new, score)
        return x, jnp.clip(longer, _SHORTEST, _LONGEST), best, score

    with matmul_precision():
        aim: Embedding = embed(targets)
        first = jnp.full_like(radius, _FIRST)
        score = jnp.where(away, 0, -_rms(targets - goal))
        state = targets, first, targets, score
        _, _, best, score = jax.lax.fori_loop(0, steps, partial(stride, corrections), state)
        # Corrections go to the middle of what is allowed; this uses up the rest.
        state = best, first, best, score
        return jax.lax.fori_loop(0, _STRAIGHT, partial(stride, 0), state)[2]


class Eigendistortions(NamedTuple):
    """The changes of an image that move its embedding most, to first order; k for each image.

    Fields:
        targets: a, on the 8-bit grid, `[B, H, W, C]`.
        images: a + α·v and a − α·v, clipped and on the 8-bit grid, `[2, k, B, H, W, C]`.
        directions: v, right singular vectors of J at a, of norm 1, `[k, B, H, W, C]`.
        singular_values: σ, in falling order, `[k, B]`.
        embedding_ratio, input_ratio, psnr: ρ, D and dB of `images`, `[2, k, B]`.
    """

    targets: Float[np.ndarray, "batch height width channels"]
    images: Float[np.ndarray, "2 k batch height width channels"]
    directions: Float[np.ndarray, "k batch height width channels"]
    singular_values: Float[np.ndarray, "k batch"]
    embedding_ratio: Float[np.ndarray, "2 k batch"]
    input_ratio: Float[np.ndarray, "2 k batch"]
    psnr: Float[np.ndarray, "2 k batch"]


def eigendistortions(
    layer: LayerFn,
    variables: Variables,
    images: ArrayLike,
    *,
    k: int = 1,
    rmse: float = 4 / 255,
    reference_key: Array | None = None,
    reference_std: Scalar = REFERENCE_STD,
    draws: int = 8,
) -> Eigendistortions:
    """Few grey levels that a layer sees best: steps along the top singular vectors of J.

    Berardino, Ballé, Laparra & Simoncelli (2017), "Eigen-distortions of hierarchical
    representations". Where `ρ / D` is above 1 the layer sees the change better than noise of the
    same size.

    Args:
        layer, variables, images: as in `null_space_witness`.
        k: directions.
        rmse: of the change before clipping and rounding, in pixels of [0, 1].
        reference_key: by default `jax.random.key(0)`.
        reference_std, draws: of m_r and m_i', see `metrics.reference_distances`.

    Raises:
        ValueError: for images as in `null_space_witness`; for no directions, or more than there
            are; for an RMSE that is not positive; for a layer that is constant.
    """
    targets = _on_grid(checked_images(images))
    if not rmse > 0:
        raise ValueError(f"rmse must be positive, got {rmse}; 4 / 255 is four grey levels")
    reference_key = jax.random.key(0) if reference_key is None else reference_key
    settings: dict[str, Any] = {"reference_std": reference_std, "draws": draws}
    reference = checked_reference(layer, variables, targets, reference_key, **settings)
    found = top_singular_values(linearize(layer, variables, targets), k)
    directions = found.right.swapaxes(0, 1).reshape(k, *targets.shape).astype(targets.dtype)
    step = rmse * np.sqrt(targets[0].size) * directions
    moved = _on_grid(np.clip(np.stack([targets + step, targets - step]), 0, 1))
    numbers = _numbers(layer, variables, targets, moved, reference)
    values = found.values.T.astype(targets.dtype)
    return Eigendistortions(targets, moved, directions, values, *numbers)


def psnr(
    images: Float[np.ndarray, "*leading height width channels"],
    targets: Float[np.ndarray, "batch height width channels"],
) -> Float[np.ndarray, "*leading"]:
    """Peak signal-to-noise ratio in dB of pixels in [0, 1]; infinite where there is no noise."""
    square = np.square(np.asarray(images, np.float64) - targets).mean((-3, -2, -1))
    with np.errstate(divide="ignore"):
        return -10 * np.log10(square)


def _numbers(
    layer: LayerFn,
    variables: Variables,
    targets: np.ndarray,
    found: Float[np.ndarray, "*leading height width channels"],
    reference: Reference,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """ρ, D and PSNR."""
    together = found.reshape(-1, *targets.shape)
    distances = embedding_distances(layer, variables, jnp.asarray(targets), jnp.asarray(together))
    rho = np.asarray(distances) / np.asarray(reference.embedding_distance)
    away = np.sqrt(np.square(together.astype(np.float64) - targets).sum((-3, -2, -1)))
    d = away / np.asarray(reference.input_distance)
    leading = found.shape[:-3]
    return rho.reshape(leading), d.reshape(leading), psnr(found, targets)


def _on_grid(images: ArrayLike) -> np.ndarray:
    """What comes back from an 8-bit file."""
    values = np.asarray(images)
    return to_uint8(values).astype(values.dtype) / values.dtype.type(255)


def _rms(images: Images) -> PerExample:
    return jnp.sqrt(jnp.square(images).mean((1, 2, 3)))


def _each(values: Array) -> Array:
    return values[:, None, None, None]
