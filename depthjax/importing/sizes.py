"""Whether a graph means the same for images of other sizes than the one that it was traced for.

A graph does not say which of its numbers were computed of a size, so this is a judgement: it shows
in shapes, in operations that hold positions, and in numbers that count the positions of a sum.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax.errors import FlaxError

from depthjax.importing.network import Graph, ImportedNetwork
from depthjax.models.network import INPUT, Node
from depthjax.models.operations import AveragePool, MaxPool
from depthjax.models.operations.elementwise import Arithmetic
from depthjax.models.operations.parameter import Constant
from depthjax.models.operations.reduction import Reduce
from depthjax.models.operations.shaping import (
    Broadcast,
    ExpandDims,
    Pad,
    Reshape,
    Roll,
    Slice,
    Squeeze,
    Take,
    Transpose,
)

Shapes = Mapping[str, tuple[int, ...]]
"""Of the activations for two images, by name."""

OTHER = (64, 32)
"""Pixels added to height and width to try a graph at another size; a multiple of 32, so that five
halvings still divide.
"""


def shapes_of(graph: Graph, variables: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """The shapes of all activations for two images, by name."""
    images = jax.ShapeDtypeStruct((2, *graph.image_shape), jnp.float32)
    _, found = jax.eval_shape(ImportedNetwork(graph).apply, variables, images)
    return {INPUT: images.shape, **{name: value.shape for name, value in found.items()}}


def takes_any_size(
    graph: Graph,
    variables: dict[str, Any],
    traced: Shapes,
    held: Iterable[tuple[str, int]] = (),
) -> bool:
    """Whether the graph means the same for images of other sizes.

    It does if it runs for them, and no operation that holds positions (a slice, padding, copies, a
    cyclic shift, a pooling by a share of the image) meets an axis of another length than where it
    was traced. Nor may anything be divided or multiplied by as many positions as it was reduced
    over: a mean may be written so.

    Args:
        graph, variables: of the network.
        traced: shapes of all activations.
        held: activations and axes of theirs that must keep their lengths, too.
    """
    height, width, channels = graph.image_shape
    larger = (height + OTHER[0], width + OTHER[1], channels)
    try:
        found = shapes_of(replace(graph, any_size=True, image_shape=larger), variables)
    except (TypeError, ValueError, FlaxError):  # the last: weights of another shape
        return False
    by_positions = (
        (node.inputs[0], axis) for node in graph.nodes for axis in _held_axes(node, traced)
    )
    return not _is_counted(graph.nodes, traced, found) and all(
        found[name][axis] == traced[name][axis] for name, axis in (*by_positions, *held)
    )


# ------------------------------------------------------------------------------------- by positions


def _held_axes(node: Node, shapes: Shapes) -> tuple[int, ...]:
    """The axes of an operation's input whose positions its settings speak of."""
    operation = node.operation
    if isinstance(operation, Slice | Take):
        return (operation.axis,)
    if isinstance(operation, Roll):
        return operation.axes
    if isinstance(operation, Pad):
        return tuple(axis for axis, pad in enumerate(operation.pads) if any(pad))
    if isinstance(operation, Broadcast):
        return tuple(range(1, len(shapes[node.name])))
    if isinstance(operation, MaxPool | AveragePool):
        before, after = shapes[node.inputs[0]], shapes[node.name]
        return tuple(
            axis
            for axis in (1, 2)
            if after[axis] == 1 < before[axis] or _is_share(operation, axis, before[axis])
        )
    return ()


def _is_share(pool: MaxPool | AveragePool, axis: int, length: int) -> bool:
    """Whether the windows are tiles, larger than usual ones, of which an image has few."""
    window, stride = (np.broadcast_to(n, 2)[axis - 1] for n in (pool.window, pool.strides))
    return bool(window == stride > 3 and 8 * window >= length)


# --------------------------------------------------------------------------------------- by numbers


def _is_counted(nodes: Iterable[Node], traced: Shapes, found: Shapes) -> bool:
    """Whether something is divided or multiplied by a number of positions."""
    areas = {shape[1] * shape[2] for shape in traced.values() if len(shape) == 4} - {1}
    constants: dict[str, np.ndarray] = {}
    counts: dict[str, frozenset[float]] = {}  # of the reductions that an activation comes of
    for node in nodes:
        operation = node.operation
        if isinstance(operation, Constant):
            constants[node.name] = operation.array
        elif isinstance(operation, _MOVES) and node.inputs[0] in constants:
            constants[node.name] = constants[node.inputs[0]]
        reached = frozenset[float]().union(*(counts.get(name, ()) for name in node.inputs))
        if isinstance(operation, Reduce):
            reached |= _numbers_of(operation, traced[node.inputs[0]], found[node.inputs[0]])
        counts[node.name] = reached
        factor = _factor(node, constants)
        if factor is None:
            continue
        shape = traced[node.name]
        without_positions = len(shape) != 4 or shape[1] * shape[2] == 1
        of_areas = areas if without_positions else ()
        if any(math.isclose(factor, number, rel_tol=1e-5) for number in (*of_areas, *reached)):
            return True
    return False


_MOVES = (ExpandDims, Reshape, Squeeze, Transpose)
"""Operations that keep all numbers."""

_OF_MEANS = ("mean", "max", "min", "all", "any", "variance", "unbiased_variance")
"""Reductions that do not grow with the number of positions."""


def _numbers_of(
    reduction: Reduce, traced: tuple[int, ...], found: tuple[int, ...]
) -> frozenset[float]:
    """The numbers that a reduction over positions may be multiplied or divided by.

    Logarithms and roots are hardly there by chance. Whole numbers often are, so that for means only
    how many positions there are counts, and for sums also one less (unbiased) and single lengths.
    """
    lengths = [traced[axis] for axis in reduction.axes if traced[axis] != found[axis]]
    if not lengths:
        return frozenset()
    count = math.prod(lengths)
    numbers = {count, math.sqrt(count), *(math.log(n) for n in (count, *lengths) if n > 1)}
    if reduction.name in _OF_MEANS:
        numbers = {n for n in numbers if n == count or n % 1}
    else:
        numbers |= {count - 1, *lengths}
    return frozenset(float(n) for n in numbers if n > 1)


def _factor(node: Node, constants: Mapping[str, np.ndarray]) -> float | None:
    """The number, larger than 1, by which an operation multiplies or divides all."""
    operation = node.operation
    if not isinstance(operation, Arithmetic) or operation.name not in ("divide", "multiply"):
        return None
    number = operation.number
    if number is None:
        arrays = [constants[name] for name in node.inputs if name in constants]
        equal = [a for a in arrays if a.size and (a == a.flat[0]).all()]
        if len(node.inputs) != 2 or len(equal) != 1:
            return None
        number = equal[0].flat[0]
    size = abs(float(number))
    if not size or not math.isfinite(size):
        return None
    return 1 / size if size < 1 else size
