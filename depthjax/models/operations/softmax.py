"""Softmax along an axis."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from depthjax.models.operations.description import Description, describes
from depthjax.models.operations.shared import Leaves


@dataclass(frozen=True)
class Softmax:
    """`exp(x) / Σ exp(x)` along an axis, or its logarithm."""

    axis: int
    logarithm: bool = False

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Of the same shape."""
        return (jax.nn.log_softmax if self.logarithm else jax.nn.softmax)(x, self.axis)


@describes(Softmax)
@dataclass(frozen=True)
class SoftmaxDescription(Description):
    """Each output depends on all positions along the axis."""

    operation: Softmax
    kind = "softmax"

    def joins(self, shape: tuple[int, ...], leaves: Leaves) -> Callable[..., Array]:
        """The sum along the axis."""
        return lambda x: jnp.broadcast_to(x.sum(self.operation.axis, keepdims=True), x.shape)
