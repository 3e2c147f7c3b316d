"""Addition: residual connections."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import jax
from jaxtyping import Array

from depthjax.models.operations.description import Description, describes
from depthjax.models.operations.shared import Leaves, mapping_sentence
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

    def read_by(self, readers: Collection[Any]) -> Any:
        """A link of a chain, where another sum reads it."""
        return link if add in readers else self.operation

    def joins(self, shape: tuple[int, ...], leaves: Leaves) -> Callable[..., Array]:
        """Itself."""
        return self.operation

    @classmethod
    def sentence(cls, loss: Any) -> str:
        """It sums rather than maps."""
        return mapping_sentence(loss, "sums")
