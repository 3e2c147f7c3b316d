"""Max pooling."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jaxtyping import Array, Float

from depthjax.models.operations.description import Description, describes
from depthjax.models.operations.shared import Leaves, kept_values
from depthjax.ops import pooling


@dataclass(frozen=True)
class MaxPool:
    """Max pooling with PyTorch's padding (by −∞) and floor mode."""

    window: int
    strides: int
    padding: int = 0

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 c"]:
        """`[B, H, W, C]` -> `[B, H', W', C]`."""
        return pooling.max_pool(x, self.window, self.strides, self.padding)


@describes(MaxPool)
@dataclass(frozen=True)
class MaxPoolDescription(Description):
    """Only the winner of each window passes."""

    operation: MaxPool
    kind = "max pool"
    counts = "losers"

    def joins(self, shape: tuple[int, ...], leaves: Leaves) -> Callable[..., Array]:
        """Its own derivative: 1 from each winner to its window."""
        return self.operation

    @classmethod
    def sentence(cls, loss: Any) -> str:
        """How many winners there are."""
        return f"{loss.name} keeps {kept_values(loss)}"
