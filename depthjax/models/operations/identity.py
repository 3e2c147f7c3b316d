"""The identity: it gives a value the name of a block that ends with another operation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jaxtyping import Array, Shaped

from depthjax.models.operations.description import Description, describes
from depthjax.models.operations.shared import Leaves, keeping_sentence


def identity(x: Shaped[Array, "*shape"]) -> Shaped[Array, "*shape"]:
    """The input."""
    return x


@describes(identity)
@dataclass(frozen=True)
class IdentityDescription(Description):
    """Nothing happens."""

    kind = "identity"

    def joins(self, shape: tuple[int, ...], leaves: Leaves) -> Callable[..., Array]:
        """Itself."""
        return self.operation

    @classmethod
    def sentence(cls, loss: Any) -> str:
        """Nothing is lost."""
        return keeping_sentence(loss)
