"""Functions of each line along an axis: running sums, the largest values and where they are."""

from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, Shaped

from depthjax.errors import one_of
from depthjax.models.operations.description import Description, describes
from depthjax.models.operations.shared import Leaves


def _top(x: Array, axis: int, count: int, largest: bool) -> Array:
    """The places of the first `count` in order; of equal ones the first comes first."""
    order = jnp.argsort(x, axis, stable=True, descending=largest)
    return jnp.take(order, jnp.arange(count), axis)


LINES: dict[str, Callable[..., Array]] = {
    "cumsum": jnp.cumsum,
    "cumprod": jnp.cumprod,
    "top_values": lambda x, axis, count, largest: jnp.take_along_axis(
        x, _top(x, axis, count, largest), axis
    ),
    "top_indices": _top,
}
"""By NumPy's name where it has one; settings follow the axis."""


@dataclass(frozen=True)
class AlongAxis:
    """A function of each line along an axis: one of `LINES`, and its settings."""

    name: str
    axis: int
    settings: tuple[int | bool, ...] = ()

    def __post_init__(self) -> None:
        one_of("function along an axis", self.name, LINES)

    def __call__(self, x: Shaped[Array, "batch ..."]) -> Shaped[Array, "batch ..."]:
        """`[B, …]` -> `[B, …]`."""
        return LINES[self.name](x, self.axis, *self.settings)


@describes(AlongAxis)
@dataclass(frozen=True)
class AlongAxisDescription(Description):
    """Each output depends on all positions along the axis."""

    operation: AlongAxis
    kind = "line"

    def joins(self, shape: tuple[int, ...], leaves: Leaves) -> Callable[..., Array]:
        """The sum along the axis."""
        return lambda x: jnp.broadcast_to(x.sum(self.operation.axis, keepdims=True), shape)
