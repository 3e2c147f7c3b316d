"""A learning rate that fits each layer: the best first step, measured at the start."""

from functools import partial

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jaxtyping import Array, Float

from depthjax.devices.precision import matmul_precision
from depthjax.devices.sharding import BY_EXAMPLE, WHOLE, on_each
from depthjax.devices.spreading import specs
from depthjax.inversion.objectives import Pieces, distance_to, pieces_of, weights_of
from depthjax.inversion.parts import parts_of
from depthjax.inversion.terms import Piece, Sum
from depthjax.typing import Embedding, Images, LayerFn, PerExample, Scalar, Variables


def step_scale(
    layer: LayerFn,
    variables: Variables,
    start: Images,
    target_embedding: Embedding,
    *,
    objective: Sum | Piece = "squared_l2",
    objective_scale: Scalar = 1.0,
) -> PerExample:
    """The step along the first gradient that makes the linearised residual smallest.

    With `g = ∇ objective` and `r = O(a_0) − target`, the step `α = ⟨r, J g⟩ / ‖J g‖²` minimises
    `‖r − α J g‖`. It costs one gradient and one Jacobian product, and sees the start and the
    target's embedding alone, never the target image.

    Args:
        layer, variables: as in `invert`.
        start: `[B, H, W, C]`.
        target_embedding: `[B, …]`.
        objective, objective_scale: as in `InversionConfig`.

    Returns:
        `[B]`, positive; 1 where the gradient has no effect on the embedding.
    """
    weights = objective_scale * jnp.asarray(weights_of(objective), start.dtype)
    pieces = pieces_of(objective)
    return step_scale_of(None, layer, pieces, variables, start, target_embedding, weights)


@partial(jax.jit, static_argnums=(0, 1, 2))
def step_scale_of(
    mesh: Mesh | None, layer: LayerFn, pieces: Pieces, variables: Variables, *arrays: Array
) -> PerExample:
    """`step_scale` by every device of a mesh for its part of the batch.

    Args:
        mesh: the devices; None for the one where the arrays lie.
        layer, variables: as in `step_scale`.
        pieces: of the objective; their weights are an array, which compiles nothing again.
        arrays: start, target embedding, and those weights.
    """
    lie = (specs(variables), BY_EXAMPLE, BY_EXAMPLE, WHOLE)
    scale: PerExample = on_each(partial(_step_scale, layer, pieces), mesh, lie, BY_EXAMPLE)(
        variables, *arrays
    )
    return scale


def _step_scale(
    layer: LayerFn,
    pieces: Pieces,
    variables: Variables,
    start: Images,
    target_embedding: Embedding,
    weights: Float[Array, " terms"],
) -> PerExample:
    with matmul_precision():
        distance = distance_to(target_embedding, pieces, weights, parts_of(layer))
        embedding, pullback = jax.vjp(partial(layer, variables), start)
        residual = embedding - target_embedding
        (gradient,) = pullback(jax.grad(lambda e: distance(e).sum())(embedding))
        forward = getattr(layer, "pushable", layer)
        _, change = jax.jvp(partial(forward, variables), (start,), (gradient,))
    features = tuple(range(1, change.ndim))
    along = (residual * change).sum(features)
    square = jnp.square(change).sum(features)
    usable = (along > 0) & (square > 0) & jnp.isfinite(along) & jnp.isfinite(square)
    return jnp.where(usable, along / jnp.where(usable, square, 1), 1)
