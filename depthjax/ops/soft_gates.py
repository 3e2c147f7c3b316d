"""Gates and maxima with exact values and a soft derivative, so that a descent can change them.

Max pooling passes the gradient to the winner of each window alone, and a ReLU to open gates alone.
A descent that has the wrong winners therefore never learns that another one would do better, and
stops far from its target. Here the derivative is that of `T·log Σ exp(x/T)` over a window, and of
`T·log(1 + exp(x/T))` for a gate (a product of two for ReLU6): the nearer to winning, or to opening,
the more passes. With T = 0 it is the true one, where nothing ties.
"""

from functools import partial, reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from depthjax.ops.examples import per_example
from depthjax.ops.pooling import Windows
from depthjax.typing import Variables

TEMPERATURE = "temperature of soft gates"
"""The name of T among the weights of a soft operation; no variable of a network has it."""

Temperature = Float[Array, "*examples"]
"""T in standard deviations of what comes in, of each example by itself; one for all, or `[B]`."""


def soft_gate(highest: float, temperature: Temperature, x: Array) -> Array:
    """`min(max(x, 0), highest)`: ReLU, or with `highest` 6 ReLU6."""
    return _soft_gate(highest, temperature, x)


def soft_max_pool(
    windows: Windows, temperature: Temperature, x: Float[Array, "b h w c"]
) -> Float[Array, "b h2 w2 c"]:
    """The largest value of each window."""
    return _soft_max_pool(windows, temperature, x)


def at_temperature(weights: Variables, temperature: Array) -> Variables:
    """The weights of a prepared layer with another temperature of everything soft.

    Args:
        weights: of a prepared layer (`depthjax.models.softened`).
        temperature: T, in standard deviations of what comes into each operation; one number, or
            one for each example.
    """

    def changed(path: Any, leaf: Any) -> Any:
        return temperature if getattr(path[-1], "key", None) == TEMPERATURE else leaf

    return jax.tree_util.tree_map_with_path(changed, weights)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _soft_gate(highest: float, temperature: Temperature, x: Array) -> Array:
    return jnp.clip(x, 0, highest)


@_soft_gate.defjvp
def _soft_gate_jvp(
    highest: float, primals: tuple[Temperature, Array], tangents: tuple[Array, Array]
) -> tuple[Array, Array]:
    (temperature, x), (_, tangent) = primals, tangents
    scale = _scale(temperature, x)
    passes = _opening(x, scale)
    if np.isfinite(highest):
        passes *= _opening(highest - x, scale)
    return _soft_gate(highest, temperature, x), passes * tangent


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _soft_max_pool(windows: Windows, temperature: Temperature, x: Array) -> Array:
    return reduce(jnp.maximum, windows.taps(x, -np.inf))


@_soft_max_pool.defjvp
def _soft_max_pool_jvp(
    windows: Windows, primals: tuple[Temperature, Array], tangents: tuple[Array, Array]
) -> tuple[Array, Array]:
    (temperature, x), (_, tangent) = primals, tangents
    taps = windows.taps(x, -np.inf)
    largest, scale = reduce(jnp.maximum, taps), _scale(temperature, x)

    def share(tap: Array) -> Array:
        below = jnp.where(tap < largest, (tap - largest) / _positive(scale), 0)
        return jnp.where((scale > 0) | (tap == largest), jnp.exp(below), 0)

    shares = list(map(share, taps))
    passed = map(jnp.multiply, shares, windows.taps(tangent, 0.0))
    return largest, reduce(jnp.add, passed) / reduce(jnp.add, shares)


def _opening(x: Array, scale: Array) -> Array:
    """How open a gate is that opens above 0."""
    soft = jax.nn.sigmoid(x / _positive(scale))
    return jnp.where(scale > 0, soft, (x > 0).astype(x.dtype))


def _scale(temperature: Temperature, x: Array) -> Array:
    """T in the units of x, `[B, 1, …]`."""
    spread = x.std(tuple(range(1, x.ndim)), keepdims=True)
    of_each = temperature.astype(x.dtype).ravel()
    if 1 < len(of_each) < len(x):  # windows of an image, as examples of their own
        of_each = jnp.repeat(of_each, len(x) // len(of_each))
    return per_example(of_each, x) * spread


def _positive(scale: Array) -> Array:
    return jnp.where(scale > 0, scale, 1)
