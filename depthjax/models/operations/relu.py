"""ReLU, and ReLU6 (Howard et al. 2017)."""

from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from depthjax.models.operations.description import Description, describes
from depthjax.models.operations.shared import kept_values

relu = nn.relu  # gradient 0 at 0, as PyTorch's; jnp.maximum would give 0.5


def relu6(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """`min(max(x, 0), 6)`, with gradient 0 at 0 and at 6, as PyTorch's; `nn.relu6` gives 0.5."""
    return jnp.where(x <= 0, 0, jnp.where(x >= 6, 6, x))


@describes(relu, relu6)
@dataclass(frozen=True)
class ReLUDescription(Description):
    """A gate for each element: open where the input is positive, and below 6 for ReLU6."""

    kind = "relu"
    joined = "as it is"  # its own derivative: 1 through open gates
    counts_unread = True

    @classmethod
    def sentence(cls, loss: Any) -> str:
        """How many gates are closed."""
        gates = f"closes {loss.unread:,} of {loss.inputs:,} gates"
        return f"{loss.name} {gates} and keeps {kept_values(loss)}"
