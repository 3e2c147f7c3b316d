"""Operations that only move elements, or copy them; axis 0 is the batch and stays."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import jax.numpy as jnp
from jaxtyping import Array, Shaped

from depthjax.models.operations.description import Description, describes
from depthjax.models.operations.shared import Leaves

Anything = Shaped[Array, "..."]


@dataclass(frozen=True)
class Reshape:
    """The same elements, row by row, in another shape (without the batch)."""

    shape: tuple[int, ...]

    def __call__(self, x: Anything) -> Anything:
        """`[B, …]` -> `[B, *shape]`."""
        return x.reshape(x.shape[0], *self.shape)


@dataclass(frozen=True)
class Transpose:
    """The axes in another order; `order` has all of them, and 0 first."""

    order: tuple[int, ...]

    def __call__(self, x: Anything) -> Anything:
        """`[B, …]` -> `[B, …]`."""
        return x.transpose(self.order)


@dataclass(frozen=True)
class Squeeze:
    """Without some axes of size 1."""

    axes: tuple[int, ...]

    def __call__(self, x: Anything) -> Anything:
        """`[B, …]` -> `[B, …]`."""
        return x.squeeze(self.axes)


@dataclass(frozen=True)
class ExpandDims:
    """With new axes of size 1, at these places of the result."""

    axes: tuple[int, ...]

    def __call__(self, x: Anything) -> Anything:
        """`[B, …]` -> `[B, …]`."""
        return jnp.expand_dims(x, self.axes)


@dataclass(frozen=True)
class Broadcast:
    """Copies along axes of size 1, to a shape (without the batch)."""

    shape: tuple[int, ...]

    def __call__(self, x: Anything) -> Anything:
        """`[B, …]` -> `[B, *shape]`."""
        return jnp.broadcast_to(x, (x.shape[0], *self.shape))


@dataclass(frozen=True)
class Slice:
    """Every `step`-th position of an axis, from `start` to before `stop`; Python's rules."""

    axis: int
    start: int | None
    stop: int | None
    step: int | None = None

    def __call__(self, x: Anything) -> Anything:
        """`[B, …]` -> `[B, …]`."""
        return x[(slice(None),) * self.axis + (slice(self.start, self.stop, self.step),)]


@dataclass(frozen=True)
class Take:
    """The positions of an axis with these indices, in their order."""

    axis: int
    indices: tuple[int, ...]

    def __call__(self, x: Anything) -> Anything:
        """`[B, …]` -> `[B, …]`."""
        return jnp.take(x, jnp.asarray(self.indices), self.axis)


@dataclass(frozen=True)
class Concatenate:
    """Activations one after the other along an axis; a batch of 1 is repeated."""

    axis: int

    def __call__(self, *inputs: Anything) -> Anything:
        """`[B, …]`, … -> `[B, …]`."""
        batch = max(x.shape[0] for x in inputs)
        return jnp.concatenate(
            [jnp.broadcast_to(x, (batch, *x.shape[1:])) for x in inputs], self.axis
        )


@dataclass(frozen=True)
class Pad:
    """More positions at the ends of each axis.

    Fields:
        pads: (before, after) for each axis, the batch included; negative numbers crop.
        mode: NumPy's name of what is put there.
        value: for `constant`.
    """

    pads: tuple[tuple[int, int], ...]
    mode: Literal["constant", "edge", "reflect", "wrap"] = "constant"
    value: float = 0.0

    def __call__(self, x: Anything) -> Anything:
        """`[B, …]` -> `[B, …]`."""
        crops = tuple(
            slice(max(0, -before), size - max(0, -after))
            for size, (before, after) in zip(x.shape, self.pads, strict=True)
        )
        grown = [(max(0, before), max(0, after)) for before, after in self.pads]
        settings: dict[str, Any] = (
            {"constant_values": self.value} if self.mode == "constant" else {}
        )
        return jnp.pad(x[crops], grown, self.mode, **settings)


@dataclass(frozen=True)
class Roll:
    """Shifted cyclically along axes."""

    shifts: tuple[int, ...]
    axes: tuple[int, ...]

    def __call__(self, x: Anything) -> Anything:
        """Of the same shape."""
        return jnp.roll(x, self.shifts, self.axes)


@describes(Reshape, Transpose, Squeeze, ExpandDims, Broadcast, Slice, Take, Concatenate, Pad, Roll)
@dataclass(frozen=True)
class ShapingDescription(Description):
    """Each output is one of the inputs."""

    kind = "shaping"
    verb = "moves"

    def joins(self, shape: tuple[int, ...], leaves: Leaves) -> Callable[..., Array]:
        """Itself, which is linear; what it pads with is joined to nothing."""
        if isinstance(self.operation, Pad) and self.operation.mode == "constant":
            return Pad(self.operation.pads)
        return self.operation
