"""Leaky ReLU."""

from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, Float


@dataclass(frozen=True)
class LeakyReLU:
    """`x` where it is positive, else `slope · x`: a nonlinearity that has an inverse."""

    slope: float

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Of the same shape; the gradient at 0 is `slope`, as PyTorch's."""
        return jnp.where(x > 0, x, self.slope * x)
