"""Average pooling: to a fixed size, and over all positions."""

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Array, Float

from depthjax.models.operations.description import Description, describes
from depthjax.models.operations.shared import Leaves
from depthjax.ops import pooling


@dataclass(frozen=True)
class AdaptiveAveragePool:
    """Average pooling to `size × size` from any size, as PyTorch's."""

    size: int

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b size size c"]:
        """`[B, H, W, C]` -> `[B, size, size, C]`."""
        return pooling.adaptive_average_pool(x, self.size)


def global_average(x: Float[Array, "b h w c"]) -> Float[Array, "b c"]:
    """The mean over all positions."""
    return x.mean((1, 2))


@describes(AdaptiveAveragePool, global_average)
@dataclass(frozen=True)
class AveragePoolDescription(Description):
    """A mean of positions, for each channel."""

    kind = "average pool"

    def joins(self, shape: tuple[int, ...], leaves: Leaves) -> Callable[..., Array]:
        """The mean times the number of positions: at least 1 where joined."""
        return lambda x: self.operation(x) * (x.shape[1] * x.shape[2])
