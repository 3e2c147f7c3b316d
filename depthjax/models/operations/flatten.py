"""Flattening."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from depthjax.models.operations.description import Description, describes
from depthjax.models.operations.shared import Leaves, keeping_sentence


def flatten(x: Array) -> Float[Array, "b n"]:
    """`[B, H, W, C]` -> `[B, C·H·W]`, channels first as PyTorch flattens."""
    return jnp.moveaxis(x, -1, 1).reshape(x.shape[0], -1)


@describes(flatten)
@dataclass(frozen=True)
class FlattenDescription(Description):
    """The same elements in another shape."""

    kind = "flatten"

    def joins(self, shape: tuple[int, ...], leaves: Leaves) -> Callable[..., Array]:
        """Itself."""
        return self.operation

    @classmethod
    def sentence(cls, loss: Any) -> str:
        """Nothing is lost."""
        return keeping_sentence(loss)
