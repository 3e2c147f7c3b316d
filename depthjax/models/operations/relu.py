"""ReLU."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
from jaxtyping import Array

from depthjax.models.operations.description import Description, describes
from depthjax.models.operations.shared import Leaves, kept_values

relu = nn.relu  # gradient 0 at 0, as PyTorch's; jnp.maximum would give 0.5


@describes(relu)
@dataclass(frozen=True)
class ReLUDescription(Description):
    """A gate for each element: open where the input is positive."""

    kind = "relu"
    counts = "closed"

    def joins(self, shape: tuple[int, ...], leaves: Leaves) -> Callable[..., Array]:
        """Its own derivative: 1 through open gates."""
        return self.operation

    @classmethod
    def sentence(cls, loss: Any) -> str:
        """How many gates are closed."""
        gates = f"closes {loss.closed:,} of {loss.inputs:,} gates"
        return f"{loss.name} {gates} and keeps {kept_values(loss)}"
