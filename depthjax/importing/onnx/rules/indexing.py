"""Operations that choose positions by index; the indices must be known while importing."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from depthjax.importing import layers
from depthjax.importing.nodes import Operand
from depthjax.importing.onnx.registry import Context, Setting, UnsupportedError, rule
from depthjax.importing.values import Known, Value
from depthjax.models.operations.along_axis import AlongAxis
from depthjax.models.operations.elementwise import Where


def _indices(ctx: Context, operand: Setting) -> np.ndarray:
    return ctx.numbers(operand, "indices")


@rule("Gather")
def _gather(ctx: Context, x: Operand, indices: Operand, *, axis: int = 0) -> Value:
    value = ctx.value(x)
    places = _indices(ctx, indices)
    if places.ndim == 0:
        place = int(places) % value.shape[axis]
        one = ctx.build.slice(ctx.name, value, axis, place, place + 1)
        axis %= value.rank
        return ctx.build.reshape(ctx.name, one, value.shape[:axis] + value.shape[axis + 1 :])
    return ctx.build.take(ctx.name, value, axis, places)


@rule("GatherElements")
def _gather_elements(ctx: Context, x: Operand, indices: Operand, *, axis: int = 0) -> Value:
    value, places = ctx.value(x), _indices(ctx, indices)
    return _picked(ctx, value, _along(value.shape, places, axis))


@rule("GatherND")
def _gather_nd(ctx: Context, x: Operand, indices: Operand, *, batch_dims: int = 0) -> Value:
    value, places = ctx.value(x), _indices(ctx, indices)
    return _picked(ctx, value, _at(value.shape, places, batch_dims))


@rule("ScatterElements", "Scatter")
def _scatter_elements(
    ctx: Context,
    x: Operand,
    indices: Operand,
    updates: Operand,
    *,
    axis: int = 0,
    reduction: str = "none",
) -> Value:
    flat = _along(x.shape, _indices(ctx, indices), axis)
    return _replaced(ctx, x, flat, updates, reduction)


@rule("ScatterND")
def _scatter_nd(
    ctx: Context, x: Operand, indices: Operand, updates: Operand, *, reduction: str = "none"
) -> Value:
    return _replaced(ctx, x, _at(x.shape, _indices(ctx, indices), 0), updates, reduction)


def _along(shape: Sequence[int], places: np.ndarray, axis: int) -> np.ndarray:
    """The element of a tensor, counted row by row, for each place along an axis."""
    grid = np.indices(places.shape)
    grid[axis] = places % shape[axis]
    return np.asarray(np.ravel_multi_index(tuple(grid), tuple(shape)))


def _at(shape: Sequence[int], places: np.ndarray, batch_dims: int) -> np.ndarray:
    """The elements, counted row by row, of the slices that the last axis of `places` speaks of."""
    numbers = np.arange(math.prod(shape)).reshape(tuple(shape))
    lead = np.indices(places.shape[:batch_dims])
    each = [
        lead[i].reshape(*lead[i].shape, *(1,) * (places.ndim - 1 - batch_dims))
        for i in range(batch_dims)
    ]
    chosen = [places[..., i] % shape[batch_dims + i] for i in range(places.shape[-1])]
    return numbers[(*each, *chosen)]


def _picked(ctx: Context, x: Value, elements: np.ndarray) -> Value:
    flat = ctx.build.reshape(f"{ctx.name}.flat", x, (math.prod(x.shape),))
    return ctx.build.take(ctx.name, flat, 0, elements)


def _replaced(
    ctx: Context, x: Operand, elements: np.ndarray, updates: Operand, reduction: str
) -> Value:
    """Some elements replaced: a choice among the old and the new ones."""
    if reduction != "none":
        raise UnsupportedError(f"reduction={reduction!r}")
    build, count = ctx.build, math.prod(x.shape)
    flat = [
        build.reshape(f"{ctx.name}.flat", ctx.value(z), (math.prod(z.shape),)) for z in (x, updates)
    ]
    both = build.concatenate(f"{ctx.name}.both", flat, 0)
    source = np.arange(count)
    source[elements.ravel()] = count + np.arange(elements.size)
    return build.take(ctx.name, both, 0, source.reshape(x.shape))


@rule("Compress")
def _compress(ctx: Context, x: Operand, condition: Operand, *, axis: int | None = None) -> Value:
    value, places = ctx.value(x), np.flatnonzero(_indices(ctx, condition))
    return (
        _picked(ctx, value, places)
        if axis is None
        else ctx.build.take(ctx.name, value, axis, places)
    )


@rule("ReverseSequence")
def _reverse_sequence(
    ctx: Context, x: Operand, lengths: Operand, *, batch_axis: int = 1, time_axis: int = 0
) -> Value:
    value, counts = ctx.value(x), _indices(ctx, lengths)
    grid = np.indices(value.shape)
    times, ends = grid[time_axis], counts[grid[batch_axis]]
    places = np.where(times < ends, ends - 1 - times, times)
    return _picked(ctx, value, _along(value.shape, places, time_axis))


@rule("Trilu")
def _triangle(ctx: Context, x: Operand, k: Operand | None = None, *, upper: int = 1) -> Value:
    value = ctx.value(x)
    shift = 0 if k is None else int(_indices(ctx, k).item())
    ones = np.ones(value.shape[-2:], bool)
    kept = Known(np.triu(ones, shift) if upper else np.tril(ones, shift))
    return ctx.build.broadcast(ctx.name, Where(), [kept, value, _zero(value)], value.dtype)


def _zero(like: Value) -> Known:
    return Known(np.zeros((), like.dtype))


@rule("EyeLike")
def _eye_like(ctx: Context, x: Operand, *, dtype: int | None = None, k: int = 0) -> Known:
    from onnx import helper

    kind = helper.tensor_dtype_to_np_dtype(dtype) if dtype else np.float32
    return Known(np.eye(x.shape[0], x.shape[1], k, dtype=kind))


@rule("OneHot")
def _one_hot(
    ctx: Context, indices: Operand, depth: Operand, values: Operand, *, axis: int = -1
) -> Value:
    build, value = ctx.build, ctx.value(indices)
    count = int(np.ravel(_indices(ctx, depth))[0])
    off, on = _indices(ctx, values)
    place = axis % (value.rank + 1)
    wide = build.reshape(ctx.name, value, (*value.shape[:place], 1, *value.shape[place:]))
    each = np.arange(count).reshape(count, *(1,) * (value.rank - place)).astype(value.dtype)
    hits = [build.arithmetic(ctx.name, "equal", wide, Known(n)) for n in (each, each - count)]
    hit = build.arithmetic(ctx.name, "logical_or", *hits)
    choices: list[Operand] = [hit, Known(np.asarray(on)), Known(np.asarray(off))]
    return build.broadcast(ctx.name, Where(), choices, np.asarray(on).dtype.name)


@rule("Hardmax")
def _hardmax_of_matrix(ctx: Context, x: Operand, *, axis: int = 1) -> Value:
    value = ctx.value(x)
    first = axis % value.rank
    shape = (*value.shape[:first], math.prod(value.shape[first:]))
    flat = ctx.build.reshape(ctx.name, value, shape)
    return ctx.build.reshape(ctx.name, _hardmax(ctx, flat), value.shape)


@rule("Hardmax", since=13)
def _hardmax(ctx: Context, x: Operand, *, axis: int = -1) -> Value:
    build, value = ctx.build, ctx.value(x)
    found = build.reduce(ctx.name, "argmax", value, (axis,), False, "int64")
    one, zero = np.asarray(1, value.dtype), np.asarray(0, value.dtype)
    depth = Known(np.asarray(value.shape[axis]))
    return _one_hot(ctx, found, depth, Known(np.stack([zero, one])), axis=axis)


def _running_rule(name: str, function: str, neutral: float) -> None:
    def running(
        ctx: Context, x: Operand, axis: Operand, *, exclusive: int = 0, reverse: int = 0
    ) -> Value:
        build, value = ctx.build, ctx.value(x)
        along = int(np.ravel(_indices(ctx, axis))[0]) % value.rank
        length = value.shape[along]

        def turned(given: Value) -> Value:
            return build.slice(ctx.name, given, along, length - 1, -1, -1) if reverse else given

        value, place = build.along(turned(value), along)
        if exclusive:
            pads = [(1, -1) if a == along else (0, 0) for a in range(value.rank)]
            value = build.pad(ctx.name, value, pads, value=neutral)
        return turned(build.elementwise(ctx.name, AlongAxis(function, place), value))

    rule(name)(running)


_running_rule("CumSum", "cumsum", 0.0)
_running_rule("CumProd", "cumprod", 1.0)


@rule("TopK")
def _top(
    ctx: Context,
    x: Operand,
    k: Setting,
    *,
    axis: int = -1,
    largest: int = 1,
    **_: Any,
) -> tuple[Value, Value]:
    count = int(np.ravel(_indices(ctx, k))[0])
    return layers.top(ctx.build, ctx.name, ctx.value(x), count, axis, bool(largest))
