"""Addition: residual connections."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jaxtyping import Array

from depthjax.models.operations.description import Description, describes
from depthjax.models.operations.shared import Leaves, mapping_sentence


def add(x: Array, y: Array) -> Array:
    """A residual connection."""
    return x + y


@describes(add)
@dataclass(frozen=True)
class AddDescription(Description):
    """A sum of two activations."""

    kind = "add"

    def joins(self, shape: tuple[int, ...], leaves: Leaves) -> Callable[..., Array]:
        """Itself."""
        return self.operation

    @classmethod
    def sentence(cls, loss: Any) -> str:
        """It sums rather than maps."""
        return mapping_sentence(loss, "sums")
