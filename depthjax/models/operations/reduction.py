"""Reductions over axes: means, sums, extremes, norms."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Shaped

from depthjax.errors import one_of
from depthjax.models.operations.description import Description, describes
from depthjax.models.operations.shared import Leaves

REDUCTIONS: dict[str, Callable[..., Array]] = {
    **{name: getattr(jnp, name) for name in ("mean", "sum", "prod", "max", "min", "all", "any")},
    "logsumexp": jax.nn.logsumexp,
    "l1": lambda x, axis: jnp.abs(x).sum(axis),
    # Its gradient at 0 is 0, as PyTorch's.
    "l2": lambda x, axis: _norm(x, axis),
    "variance": lambda x, axis: jnp.var(x, axis),
    "unbiased_variance": lambda x, axis: jnp.var(x, axis, ddof=1),
    "argmax": lambda x, axis: jnp.argmax(x, axis[0]),
    "argmin": lambda x, axis: jnp.argmin(x, axis[0]),
}
"""By NumPy's name where it has one."""


def _norm(x: Array, axes: tuple[int, ...]) -> Array:
    square = (x * x).sum(axes)
    positive = jnp.where(square > 0, square, 1.0)  # so that no infinity meets the 0 below
    return jnp.where(square > 0, jnp.sqrt(positive), 0.0)


@dataclass(frozen=True)
class Reduce:
    """One number for all positions along some axes, which are dropped; axis 0 is the batch."""

    name: str
    axes: tuple[int, ...]

    def __post_init__(self) -> None:
        one_of("reduction", self.name, REDUCTIONS)

    def __call__(self, x: Shaped[Array, "batch ..."]) -> Shaped[Array, "batch ..."]:
        """`[B, …]` -> `[B, …]`."""
        return REDUCTIONS[self.name](x, axis=self.axes)


@describes(Reduce)
@dataclass(frozen=True)
class ReduceDescription(Description):
    """Each output depends on all positions along the axes."""

    operation: Reduce
    kind = "reduction"

    def joins(self, shape: tuple[int, ...], leaves: Leaves) -> Callable[..., Array]:
        """The sum; of a maximum or minimum the sum of the elements that are it."""
        axes = self.operation.axes
        if self.operation.name not in ("max", "min"):
            return lambda x: x.sum(axes)

        def join(x: Array) -> Array:
            extreme = jnp.expand_dims(self.operation(jax.lax.stop_gradient(x)), axes)
            return (x * (x == extreme)).sum(axes)

        return join
