"""A Levenberg–Marquardt step without matrices: the linearised residual, damped, by CG.

Every example has its own damping, step lengths and acceptance, and none sees another. (Given the
map of a batch, the solvers of `jax.scipy` take it for one system, with one step length for all.)
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from depthjax.inversion.coordinates import Coordinates
from depthjax.ops.examples import per_example
from depthjax.typing import Embedding, Images, PerExample


class Options(NamedTuple):
    """Settings of the method.

    Fields:
        iterations: of CG; each takes one product with J and one with Jᵀ.
        damping: λ of the first step, in units of the curvature along the gradient.
    """

    iterations: int = 10
    damping: float = 0.1


def change(
    embed: Callable[[Images], Embedding],
    images: Images,
    target: Embedding,
    damping: PerExample,
    coordinates: Coordinates,
    iterations: int,
) -> tuple[Embedding, Images]:
    """The embedding, and the step d that minimises `‖O(a) + J d − target‖² + λ s ‖d‖²` roughly.

    s is the curvature `‖J g‖² / ‖g‖²` along the gradient g, which makes λ free of units.

    Args:
        embed: images `[B, H, W, C]` to embeddings.
        images: where the map is linearised.
        target: `[B, …]`.
        damping: λ, `[B]`.
        coordinates: of all images at once, where ‖d‖ is measured.
        iterations: of CG, from 0.

    Returns:
        `[B, …]` and `[B, H, W, C]`.
    """
    embedding, push = jax.linearize(embed, images)
    pull = jax.linear_transpose(push, images)
    forward = lambda d: push(coordinates.decode(d))  # noqa: E731
    backward = lambda r: coordinates.transpose(pull(r)[0])  # noqa: E731

    gradient = backward(target - embedding)
    length = _dot(gradient, gradient)
    pushed = forward(gradient)
    curvature = _ratio(_dot(pushed, pushed), length)

    def operator(d: Array) -> Array:
        return backward(forward(d)) + per_example(damping * curvature, d) * d

    step = _conjugate_gradients(operator, gradient, iterations)
    return embedding, coordinates.decode(step)


def adapted(damping: PerExample, accepted: Array) -> PerExample:
    """A smaller λ after success, a larger one after failure."""
    return jnp.clip(jnp.where(accepted, damping / 3, damping * 4), 1e-6, 1e6)


def _conjugate_gradients(
    operator: Callable[[Array], Array], right: Array, iterations: int
) -> Array:
    def body(_: Any, carry: tuple[Array, ...]) -> tuple[Array, ...]:
        x, residual, direction, square = carry
        image = operator(direction)
        length = _ratio(square, _dot(direction, image))
        x += per_example(length, x) * direction
        residual -= per_example(length, x) * image
        new = _dot(residual, residual)
        direction = residual + per_example(_ratio(new, square), x) * direction
        return x, residual, direction, new

    start = (jnp.zeros_like(right), right, right, _dot(right, right))
    return jax.lax.fori_loop(0, iterations, body, start)[0]


def _dot(a: Array, b: Array) -> Float[Array, " batch"]:
    return (a * b).sum(tuple(range(1, a.ndim)))


def _ratio(a: PerExample, b: PerExample) -> PerExample:
    """The quotient; 0 where b is not positive: an example that has arrived stays."""
    usable = b > 0
    return jnp.where(usable, a / jnp.where(usable, b, 1), 0)
