"""A learning rate that fits each layer: the best first step, measured at the start."""

from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jaxtyping import Array

from depthjax.devices.precision import matmul_precision
from depthjax.devices.sharding import BY_EXAMPLE, WHOLE
from depthjax.devices.spreading import specs
from depthjax.inversion.objectives import distance_to, pieces_of, weights_of
from depthjax.inversion.parts import parts_of
from depthjax.inversion.terms import Piece, Sum
from depthjax.typing import Embedding, Images, LayerFn, PerExample, Scalar, Variables


@partial(jax.jit, static_argnums=0, static_argnames="objective")
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
    with matmul_precision():
        weights = objective_scale * jnp.asarray(weights_of(objective), start.dtype)
        pieces = pieces_of(objective)
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


@cache
def step_scale_on(mesh: Mesh | None, layer: LayerFn, objective: Sum | Piece) -> Any:
    """`step_scale` as a function `(variables, start, target_embedding, objective_scale)`.

    On a mesh every device computes it for its part of the batch.
    """

    def on_one(variables: Variables, start: Images, target: Embedding, c: Array) -> PerExample:
        return step_scale(layer, variables, start, target, objective=objective, objective_scale=c)

    if mesh is None:
        return on_one

    def on_all(variables: Variables, *arrays: Array) -> PerExample:
        lies = (specs(variables), BY_EXAMPLE, BY_EXAMPLE, WHOLE)
        scale = jax.shard_map(
            on_one, mesh=mesh, in_specs=lies, out_specs=BY_EXAMPLE, check_vma=False
        )
        return scale(variables, *arrays)

    return jax.jit(on_all)
