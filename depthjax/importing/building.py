"""Builds our graph from the operations of a source, axis by axis.

A rule of an importer says what an operation means in the source's terms (channels first, axes
counted there); the builder knows where these axes lie in our activations, and adds the nodes.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from depthjax.importing.nodes import Leaves, Nodes, Operand
from depthjax.importing.values import Known, Order, Shape, Value, matched_groups, used
from depthjax.models.network import Operation
from depthjax.models.operations import shaping
from depthjax.models.operations.add import add
from depthjax.models.operations.elementwise import Arithmetic, Elementwise
from depthjax.models.operations.reduction import Reduce


class Builder(Nodes):
    """Nodes, added by what they mean in the source."""

    # ------------------------------------------------------------------------------------- images

    def pixels(self, images: Value, dtype: str) -> Value:
        """The images as the source takes them: those of bytes from 0 to 255, ours from 0 to 1.

        Args:
            images: the network's input.
            dtype: of the source's.

        Raises:
            ValueError: for other whole numbers, whose range is not known.
        """
        if np.dtype(dtype).kind == "f" or dtype == "bfloat16":
            return images
        if dtype != "uint8":
            raise ValueError(
                f"it takes images of {dtype}, and only of uint8 (0 to 255) and of floating numbers"
                " is the range known; cast them within the network"
            )
        return self.arithmetic("pixels", "multiply", images, 255.0)

    # ----------------------------------------------------------------------------------- elements

    def elementwise(
        self, name: str, operation: Operation, x: Value, dtype: str | None = None
    ) -> Value:
        """A function of each element."""
        return self.add(name, operation, [x], x.shape, x.order, dtype or x.dtype)

    def function(self, name: str, function: str, x: Value, *settings: float | int | str) -> Value:
        """A function of `operations.elementwise.FUNCTIONS`."""
        dtype = str(settings[0]) if function == "cast" else None
        return self.elementwise(name, Elementwise(function, tuple(settings)), x, dtype)

    def together(self, operands: Sequence[Operand], name: str) -> tuple[list[Value], Shape, Order]:
        """Operands with their axes stored alike, and the broadcast shape and order."""
        rank = max(operand.rank for operand in operands)
        shape = np.broadcast_shapes(*(operand.shape for operand in operands))
        values = [self.value(operand, f"{name}.constant").aligned(rank) for operand in operands]
        lead = max(values, key=lambda v: (math.prod(v.shape), v.batched))
        order = _covering(lead.order, shape)
        return [self.ordered(value, order) for value in values], shape, order

    def broadcast(
        self, name: str, operation: Operation, operands: Sequence[Operand], dtype: str | None = None
    ) -> Value:
        """A function of several operands, element by element with broadcasting."""
        values, shape, order = self.together(operands, name)
        kind = dtype or str(jnp.result_type(*(value.dtype for value in values)))
        return self.add(name, operation, values, shape, order, kind)

    def arithmetic(
        self, name: str, function: str, x: Operand | float | int, y: Operand | float | int
    ) -> Value:
        """`operations.elementwise.ARITHMETIC` of two operands, of which one may be a number."""
        x, y = _number(x), _number(y)
        if isinstance(x, Value) and not isinstance(y, Value | Known):
            return self.elementwise(name, Arithmetic(function, y), x)
        if isinstance(y, Value) and not isinstance(x, Value | Known):
            return self.elementwise(name, Arithmetic(function, x, True), y)
        pair: list[Operand] = [
            z if isinstance(z, Value | Known) else Known(np.asarray(z)) for z in (x, y)
        ]
        operation = add if function == "add" else Arithmetic(function)
        return self.broadcast(name, operation, pair)

    # -------------------------------------------------------------------------------------- shapes

    def reshape(self, name: str, x: Value, shape: Shape) -> Value:
        """The source's elements, row by row, in another shape."""
        groups = matched_groups(x.shape, shape)
        if groups is None:
            raise ValueError(f"{name} gives {[*x.shape]} the shape {[*shape]}, which does not fit")
        stored = used(x.order, x.shape)
        groups.sort(key=lambda group: stored.index(group[0][0]))
        if not all(_is_run(before, stored) for before, _ in groups):
            # Only axes that become one are brought together, so that channels stay last.
            stored = tuple(axis for before, _ in groups for axis in before)
            x = self.ordered(x, stored)
        order = tuple(axis for _, after in groups for axis in after)
        if all(len(before) == len(after) == 1 for before, after in groups):
            # Only axes of size 1 come or go, so that nothing is held to a size.
            x = self.ordered(x, stored)
            return replace(x, shape=tuple(shape), order=order)
        return self.add(
            name, shaping.Reshape(tuple(shape[a] for a in order)), [x], shape, order, x.dtype
        )

    def transpose(self, x: Value, order: Sequence[int]) -> Value:
        """The source's axes in another order; nothing is computed."""
        return x.permuted(tuple(int(axis) % x.rank for axis in order))

    def expand(self, name: str, x: Operand, shape: Shape) -> Value:
        """Copies along axes of size 1; the shape may have more axes in front."""
        value = self.value(x, name).aligned(len(shape))
        if value.shape == tuple(shape):
            return value
        order = _covering(value.order, tuple(shape))
        value = self.ordered(value, order)
        return self.add(
            name,
            shaping.Broadcast(tuple(shape[a] for a in order)),
            [value],
            shape,
            order,
            value.dtype,
        )

    def concatenate(self, name: str, operands: Sequence[Operand], axis: int) -> Value:
        """One after the other along an axis."""
        values = [self.value(operand, f"{name}.constant") for operand in operands]
        axis %= values[0].rank
        lead = max(values, key=lambda value: (value.batched, len(value.order)))
        total = sum(value.shape[axis] for value in values)
        widest = np.max([value.shape for value in values], 0)
        order = _covering(
            lead.order, tuple(int(n) if a != axis else 2 for a, n in enumerate(widest))
        )
        values = [self.ordered(value, order) for value in values]
        shape = tuple(total if a == axis else n for a, n in enumerate(lead.shape))
        kind = str(jnp.result_type(*(value.dtype for value in values)))
        return self.add(
            name, shaping.Concatenate(1 + order.index(axis)), values, shape, order, kind
        )

    def slice(self, name: str, x: Value, axis: int, start: int, stop: int, step: int = 1) -> Value:
        """Every `step`-th position of an axis from `start` to before `stop`; both within the axis
        (`stop` is -1 where a negative step takes the first position too).
        """
        axis %= x.rank
        count = len(range(start, stop, step))
        if count == x.shape[axis] and step == 1:
            return x
        x = self._with_axis(x, axis)
        shape = tuple(count if a == axis else n for a, n in enumerate(x.shape))
        end = None if stop < 0 else stop
        if stop == x.shape[axis]:
            end = None
        operation = shaping.Slice(
            x.place(axis) or 0,
            start or None if step > 0 else start,
            end,
            None if step == 1 else step,
        )
        return self.add(name, operation, [x], shape, x.order, x.dtype)

    def take(self, name: str, x: Value, axis: int, indices: np.ndarray) -> Value:
        """The positions with these indices, whose shape replaces the axis."""
        axis %= x.rank
        x = self._with_axis(x, axis)
        length = x.shape[axis]
        flat = tuple(int(i) % length for i in np.ravel(indices))
        shape = tuple(len(flat) if a == axis else n for a, n in enumerate(x.shape))
        taken = self.add(name, shaping.Take(x.place(axis) or 0, flat), [x], shape, x.order, x.dtype)
        new = (*x.shape[:axis], *np.shape(indices), *x.shape[axis + 1 :])
        return self.reshape(f"{name}.reshaped", taken, new)

    def pad(
        self,
        name: str,
        x: Value,
        pads: Sequence[tuple[int, int]],
        mode: str = "constant",
        value: float | int = 0.0,
    ) -> Value:
        """(before, after) for each axis of the source."""
        for axis, pad in enumerate(pads):
            if any(pad):
                x = self._with_axis(x, axis)
        stored = ((0, 0), *((int(pads[a][0]), int(pads[a][1])) for a in x.order))
        shape = tuple(n + sum(pad) for n, pad in zip(x.shape, pads, strict=True))
        operation = shaping.Pad(stored, mode, float(value))  # type: ignore[arg-type]
        return self.add(name, operation, [x], shape, x.order, x.dtype)

    def roll(self, name: str, x: Value, shifts: Sequence[int], axes: Sequence[int]) -> Value:
        """Shifted cyclically."""
        for axis in axes:
            x = self._with_axis(x, axis % x.rank)
        places = tuple(x.place(axis % x.rank) or 0 for axis in axes)
        return self.add(name, shaping.Roll(tuple(shifts), places), [x], x.shape, x.order, x.dtype)

    def along(self, x: Value, axis: int) -> tuple[Value, int]:
        """The value with this axis of the source stored, and the axis where it is."""
        x = self._with_axis(x, axis % x.rank)
        place = x.place(axis % x.rank)
        assert place is not None
        return x, place

    def hold(self, x: Value, axis: int) -> None:
        """Says that something about this axis of the source holds for its present length alone."""
        place = x.place(axis % x.rank)
        if place is not None:  # else its length is 1, whatever the images' size is
            self.held.add((x.node, place))

    def _with_axis(self, x: Value, axis: int) -> Value:
        if axis in x.order:
            return x
        order = _covering(x.order, tuple(2 if a == axis else 1 for a in range(x.rank)))
        return self.ordered(x, order)

    # ------------------------------------------------------------------------------- reductions

    def reduce(
        self,
        name: str,
        kind: str,
        x: Value,
        axes: Sequence[int],
        keep: bool,
        dtype: str | None = None,
    ) -> Value:
        """A reduction over axes of the source.

        Args:
            name: of the node.
            kind: one of `operations.reduction.REDUCTIONS`.
            x: what is reduced.
            axes: of the source; none: all.
            keep: whether they stay in the source, with size 1.
            dtype: of the result.
        """
        wanted = tuple(sorted(a % x.rank for a in axes)) or tuple(range(x.rank))
        stored = tuple(a for a in wanted if a in x.order)
        if not stored:  # every element alone: the reduction still does something (norms)
            x, _ = self.along(x, wanted[-1])
            stored = (wanted[-1],)
        kept = [a for a in range(x.rank) if keep or a not in wanted]
        shape = tuple(1 if a in wanted else x.shape[a] for a in kept)
        order = tuple(kept.index(a) for a in x.order if a not in stored and a in kept)
        squeezed = [a for a in x.order if a not in stored and a not in kept]
        if squeezed:  # of size 1, and no axis of the result
            x = self.ordered(x, tuple(a for a in x.order if a not in squeezed))
        places = tuple(sorted(1 + x.order.index(a) for a in stored))
        return self.add(name, Reduce(kind, places), [x], shape, order, dtype or x.dtype)

    # --------------------------------------------------------------------------------- with weights

    def module(
        self, name: str, module: nn.Module, x: Value, variables: Leaves, shape: Shape
    ) -> Value:
        """A module with weights that takes and gives channels (or features) last as stored."""
        return self.add(name, module, [x], shape, x.order, x.dtype, variables)


def _number(operand: Any) -> Any:
    """A known tensor of one number and no weight as that number."""
    if not isinstance(operand, Known) or operand.weight or operand.lower:
        return operand
    if operand.array.ndim == 0:
        return operand.array.item()
    return operand


def _covering(order: Order, shape: Shape) -> Order:
    """An order with every axis that is not of size 1: those that it lacks are put in.

    Where the order is the source's, so is the result; else the batch's axis comes first, and any
    other before the axis that follows it in the source.
    """
    result = list(order)
    for axis in (axis for axis, size in enumerate(shape) if size != 1 and axis not in order):
        if result == sorted(result):
            result = sorted([*result, axis])
        else:
            later = [place for place, other in enumerate(result) if other > axis]
            result.insert(0 if axis == 0 else min(later, default=len(result)), axis)
    return tuple(result)


def _is_run(axes: Order, order: Order) -> bool:
    """Whether axes follow each other in an order."""
    first = order.index(axes[0])
    return order[first : first + len(axes)] == axes
