"""Addition: residual connections."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import jax
from jaxtyping import Array

from depthjax.models.operations.description import Description, describes
from depthjax.ops.materialised import materialised


def add(x: Array, y: Array) -> Array:
    """A residual connection."""
    return x + y


def link(x: Array, y: Array) -> Array:
    """A residual connection that another one reads.

    On a CPU every block of a transformer would otherwise add up all blocks before it again, and its
    gradient all those after it.
    """
    return materialised(x + y) if jax.default_backend() == "cpu" else x + y


@describes(add, link)
@dataclass(frozen=True)
class AddDescription(Description):
    """A sum of two activations."""

    kind = "add"
    joined = "as it is"
    verb = "sums"

    def read_by(self, readers: Collection[Any]) -> Any:
        """A link of a chain, where another sum reads it."""
        return link if add in readers else self.operation
