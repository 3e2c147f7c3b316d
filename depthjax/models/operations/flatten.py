"""Flattening."""

from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, Float

from depthjax.models.operations.description import Description, describes


def flatten(x: Array) -> Float[Array, "b n"]:
    """`[B, H, W, C]` -> `[B, C·H·W]`, channels first as PyTorch flattens."""
    return jnp.moveaxis(x, -1, 1).reshape(x.shape[0], -1)


@describes(flatten)
@dataclass(frozen=True)
class FlattenDescription(Description):
    """The same elements in another shape."""

    kind = "flatten"
    joined = "as it is"
    verb = "keeps"
