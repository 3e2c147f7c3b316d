"""Resampling along axes by fixed matrices: resizing in all its modes."""

from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, Float

from depthjax.models.operations.description import Description, describes
from depthjax.models.operations.parameter import Constant
from depthjax.models.operations.shared import Leaves, ones


@dataclass(frozen=True)
class Resample:
    """The product of each line along an axis with a matrix `[outputs, inputs]`."""

    axis: int
    matrix: Constant

    def __call__(self, x: Float[Array, "batch ..."]) -> Float[Array, "batch ..."]:
        """`[B, …]` -> `[B, …]`."""
        matrix = jnp.asarray(self.matrix.array, x.dtype)
        return jnp.moveaxis(jnp.tensordot(x, matrix, (self.axis, 1)), -1, self.axis)


@describes(Resample)
@dataclass(frozen=True)
class ResampleDescription(Description):
    """Each output depends on the inputs with a weight other than 0."""

    operation: Resample
    kind = "resampling"

    def joins(self, shape: tuple[int, ...], leaves: Leaves) -> Callable[..., Array]:
        """The product with a matrix of ones and zeros."""

        def join(x: Array) -> Array:
            matrix = ones(jnp.asarray(self.operation.matrix.array), x)
            axis = self.operation.axis
            return jnp.moveaxis(jnp.tensordot(x, matrix, (axis, 1)), -1, axis)

        return join
