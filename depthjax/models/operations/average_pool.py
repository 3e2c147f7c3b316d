"""Average pooling: of windows, to a fixed size, and over all positions."""

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Array, Float

from depthjax.models.operations.description import Description, describes
from depthjax.models.operations.shared import Leaves
from depthjax.ops import pooling
from depthjax.ops.pooling import Pair


@dataclass(frozen=True)
class AveragePool:
    """The mean of each window; see `depthjax.ops.pooling.average_pool`."""

    window: int | Pair
    strides: int | Pair
    padding: int | tuple[int | Pair, int | Pair] = 0
    dilation: int | Pair = 1
    ceil: bool = False
    count_padding: bool = True

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 c"]:
        """`[B, H, W, C]` -> `[B, H', W', C]`."""
        moves = self.padding, self.dilation, self.ceil, self.count_padding
        return pooling.average_pool(x, self.window, self.strides, *moves)


@dataclass(frozen=True)
class AdaptiveAveragePool:
    """Average pooling to `size × size`, or to `(height, width)`, from any size, as PyTorch's."""

    size: int | Pair

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 c"]:
        """`[B, H, W, C]` -> `[B, H', W', C]`."""
        return pooling.adaptive_average_pool(x, self.size)


def global_average(x: Float[Array, "b h w c"]) -> Float[Array, "b c"]:
    """The mean over all positions."""
    return x.mean((1, 2))


@describes(AveragePool, AdaptiveAveragePool, global_average)
@dataclass(frozen=True)
class AveragePoolDescription(Description):
    """A mean of positions, for each channel."""

    kind = "average pool"

    def joins(self, shape: tuple[int, ...], leaves: Leaves) -> Callable[..., Array]:
        """The mean times the number of positions: at least 1 where joined."""
        return lambda x: self.operation(x) * (x.shape[1] * x.shape[2])
