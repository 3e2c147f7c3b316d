"""The nodes of our graph so far, and the order in which each activation stores its axes."""

from collections.abc import Container, Sequence
from dataclasses import replace
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from depthjax.importing.values import Known, Order, Shape, Value, channels_last, used
from depthjax.models.network import INPUT, RESERVED, Node, Operation
from depthjax.models.operations import shaping
from depthjax.models.operations.parameter import Parameter, constant

Operand = Value | Known
Variables = dict[str, dict[str, Any]]
Leaves = dict[str, dict[str, Known]]
"""The variables of one operation, in our layout: `{"params": {"kernel": …}}`."""


class Nodes:
    """The graph so far.

    Fields:
        nodes: in the order in which they were added.
        variables: of the nodes, as NumPy arrays.
        values: of each node, by name.
        weights: the source's name of each weight, by node and leaf.
        held: axes of activations, by node, that some operation was made for the length of, though
            the graph does not show it.
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.variables: Variables = {"params": {}}
        self.values: dict[str, Value] = {}
        self.weights: dict[tuple[str, str], str] = {}
        self.held: set[tuple[str, int]] = set()
        self._names: set[str] = set(RESERVED)
        self._kept: dict[Any, Value] = {}
        self._dtypes: dict[Any, np.dtype[Any]] = {}
        self._known: list[Known] = []

    # ------------------------------------------------------------------------------- adding nodes

    def add(
        self,
        name: str,
        operation: Operation,
        inputs: Sequence[Value],
        shape: Shape,
        order: Order,
        dtype: str | None = None,
        variables: Leaves | None = None,
    ) -> Value:
        """Adds a node.

        Args:
            name: a proposal.
            operation: a function of the stored activations.
            inputs: in the order in which it takes them.
            shape: of the result, in the source.
            order: of the result; see `Value`.
            dtype: of the result; by default that of the first input. Where the operation gives
                another kind of number (of whole ones a float), it is what it gives.
            variables: of the operation.
        """
        name = free_name(name, self._names)
        self._names.add(name)
        self.nodes.append(Node(name, operation, tuple(value.node for value in inputs)))
        for group, leaves in (variables or {}).items():
            self.variables.setdefault(group, {})[name] = {k: v.array for k, v in leaves.items()}
            self.weights |= {(name, k): v.weight for k, v in leaves.items() if v.weight}
        batched = any(value.batched for value in inputs)
        kind = dtype or (inputs[0].dtype if inputs else "float32")
        if inputs and not isinstance(operation, nn.Module):
            found = self._computed(operation, inputs)
            kind = kind if np.dtype(kind).kind == found.kind else found.name
        made = Value(name, tuple(map(int, shape)), tuple(order), kind, batched)
        self.values[name] = made
        return made

    def _computed(self, operation: Operation, inputs: Sequence[Value]) -> np.dtype[Any]:
        """What an operation gives of these dtypes; it is asked once, whatever the sizes are."""
        # Operations that multiply by 2 and 2.0 are equal, for JAX's own cache as well.
        key = repr(operation), *(value.dtype for value in inputs)
        if key not in self._dtypes:
            found = jax.eval_shape(lambda *given: operation(*given), *map(_spec, inputs))
            self._dtypes[key] = found.dtype
        return self._dtypes[key]

    def images(self, shape: Shape) -> Value:
        """The images: `[1, C, H, W]` in the source."""
        return Value(INPUT, shape, channels_last(len(shape)), "float32")

    def value(self, operand: Operand, name: str = "constant") -> Value:
        """An operand as a value: a weight becomes a node of its own, and so do other numbers."""
        if isinstance(operand, Value):
            return operand
        key = id(operand)
        if key not in self._kept:
            self._known.append(operand)  # so that no other object gets its id
            made = operand.lower() if operand.lower else self._node_of(operand, name)
            self._kept[key] = made
        return self._kept[key]

    def _node_of(self, known: Known, name: str) -> Value:
        array = known.array
        floating = jnp.issubdtype(array.dtype, jnp.floating)
        shape, order = array.shape, tuple(range(array.ndim))
        if known.weight is None or not floating:
            made = self.add(
                known.weight or name, constant(array), (), shape, order, str(array.dtype)
            )
        else:
            leaves = {"params": {"value": known}}
            operation = Parameter(shape, parent=None)
            made = self.add(known.weight, operation, (), shape, order, str(array.dtype), leaves)
        return replace(made, batched=False)

    # ------------------------------------------------------------------------------------ layouts

    def ordered(self, x: Value, order: Order) -> Value:
        """The same tensor stored in `order`, which lists every axis whose size is not 1."""
        if x.order == order:
            return x
        key = (x.node, x.shape, x.order, order)
        if key not in self._kept:
            self._kept[key] = self._moved(x, order)
        return self._kept[key]

    def _moved(self, x: Value, order: Order) -> Value:
        wanted = used(order, x.shape)
        name = f"{x.node}.moved"
        if used(x.order, x.shape) != wanted:
            ones = tuple(axis for axis in x.order if axis not in wanted)
            places = tuple(1 + x.order.index(axis) for axis in (*wanted, *ones))
            x = self.add(
                name, shaping.Transpose((0, *places)), [x], x.shape, (*wanted, *ones), x.dtype
            )
        return self._with_ones(x, order, name)

    def _with_ones(self, x: Value, order: Order, name: str) -> Value:
        """With other axes of size 1."""
        dropped = tuple(1 + i for i, axis in enumerate(x.order) if axis not in order)
        if dropped:
            kept = tuple(axis for axis in x.order if axis in order)
            x = self.add(name, shaping.Squeeze(dropped), [x], x.shape, kept, x.dtype)
        missing = tuple(1 + i for i, axis in enumerate(order) if axis not in x.order)
        if missing:
            kept_order = tuple(axis for axis in order if axis in x.order)
            if kept_order != x.order:  # ones are in another order
                x = self.add(
                    name,
                    shaping.Reshape(tuple(x.shape[a] for a in kept_order)),
                    [x],
                    x.shape,
                    kept_order,
                    x.dtype,
                )
            return self.add(name, shaping.ExpandDims(missing), [x], x.shape, order, x.dtype)
        if x.order != order:
            return self.add(
                name,
                shaping.Reshape(tuple(x.shape[a] for a in order)),
                [x],
                x.shape,
                order,
                x.dtype,
            )
        return x

    def channels_last(self, x: Value) -> Value:
        """Stored as `[B, *sizes, C]`; with more images in one (windows), `[B, windows, …, C]`."""
        order = channels_last(x.rank)
        return self.ordered(x, order if x.shape[0] == 1 else (0, *order))

    def with_last(self, x: Value, axis: int) -> Value:
        """Stored with this axis of the source last."""
        if x.order and x.order[-1] == axis:
            return x
        return self.ordered(x, (*(a for a in x.order if a != axis), axis))

    def in_source_order(self, x: Value, *, whole: bool = False) -> Value:
        """Stored in the source's order; `whole`: with every axis, also those of size 1."""
        axes = range(x.rank)
        return self.ordered(x, tuple(a for a in axes if whole or x.shape[a] != 1 or a in x.order))


def free_name(name: str, taken: Container[str]) -> str:
    """A name that is not taken yet: itself, or with a number."""
    number, candidate = 1, name
    while candidate in taken:
        candidate, number = f"{name}_{number}", number + 1
    return candidate


def _spec(value: Value) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct((2 if value.batched else 1, *value.stored), np.dtype(value.dtype))
