"""Max pooling."""

from dataclasses import dataclass
from typing import Any

from jaxtyping import Array, Float

from depthjax.models.operations.description import Description, describes
from depthjax.models.operations.shared import kept_values
from depthjax.ops import pooling
from depthjax.ops.pooling import Pair


@dataclass(frozen=True)
class MaxPool:
    """Max pooling with PyTorch's padding (by −∞); see `depthjax.ops.pooling.Window`."""

    window: int | Pair
    strides: int | Pair
    padding: int | tuple[int | Pair, int | Pair] = 0
    dilation: int | Pair = 1
    ceil: bool = False

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 c"]:
        """`[B, H, W, C]` -> `[B, H', W', C]`."""
        return pooling.max_pool(
            x, self.window, self.strides, self.padding, self.dilation, self.ceil
        )


@describes(MaxPool)
@dataclass(frozen=True)
class MaxPoolDescription(Description):
    """Only the winner of each window passes."""

    operation: MaxPool
    kind = "max pool"
    joined = "as it is"  # its own derivative: 1 from each winner to its window
    counts_unread = True

    @classmethod
    def sentence(cls, loss: Any) -> str:
        """How many winners there are."""
        return f"{loss.name} keeps {kept_values(loss)}"
