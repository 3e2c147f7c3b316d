"""Operations that move elements."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from depthjax.importing.nodes import Operand
from depthjax.importing.torch.registry import Context, Number, Sizes, each, rule
from depthjax.importing.values import Known, Value


@rule("view", "reshape", "_unsafe_view", "unflatten")
def _reshape(ctx: Context, x: Operand, shape: Any, sizes: Sequence[int] | None = None) -> Value:
    value = ctx.value(x)
    if sizes is not None:  # unflatten
        axis = shape % value.rank
        shape = (*value.shape[:axis], *sizes, *value.shape[axis + 1 :])
        known = math.prod(n for n in sizes if n != -1)
        shape = tuple(value.shape[axis] // known if n == -1 else n for n in shape)
    elements = math.prod(value.shape)
    known = math.prod(n for n in shape if n != -1)
    return ctx.build.reshape(
        ctx.name, value, tuple(elements // known if n == -1 else int(n) for n in shape)
    )


@rule("view_as", "reshape_as")
def _reshape_as(ctx: Context, x: Operand, other: Operand) -> Value:
    return ctx.build.reshape(ctx.name, ctx.value(x), other.shape)


@rule("flatten")
def _flatten(ctx: Context, x: Operand, start: int = 0, end: int = -1) -> Value:
    value = ctx.value(x)
    first, last = (axis % max(1, value.rank) for axis in (start, end))  # a number becomes a line
    middle = math.prod(value.shape[first : last + 1])
    shape = (*value.shape[:first], middle, *value.shape[last + 1 :])
    return ctx.build.reshape(ctx.name, value, shape)


@rule("unsqueeze")
def _unsqueeze(ctx: Context, x: Operand, axis: int) -> Value:
    value = ctx.value(x)
    place = axis % (value.rank + 1)
    shape = (*value.shape[:place], 1, *value.shape[place:])
    return ctx.build.reshape(ctx.name, value, shape)


@rule("squeeze")
def _squeeze(ctx: Context, x: Operand, axes: Any = None) -> Value:
    value = ctx.value(x)
    # The images' axis is of length 1 in the example alone.
    every = range(1 if value.batched else 0, value.rank)
    given = every if axes is None else (axes,) if isinstance(axes, int) else axes
    dropped = {axis % value.rank for axis in given}
    kept = tuple(n for a, n in enumerate(value.shape) if a not in dropped or n != 1)
    return ctx.build.reshape(ctx.name, value, kept)


@rule("permute")
def _permute(ctx: Context, x: Operand, order: Sequence[int]) -> Value:
    return ctx.build.transpose(ctx.value(x), order)


@rule("transpose", "swapaxes")
def _transpose(ctx: Context, x: Operand, first: int, second: int) -> Value:
    value = ctx.value(x)
    order = list(range(value.rank))
    order[first], order[second] = order[second], order[first]
    return ctx.build.transpose(value, order)


@rule("numpy_T")
def _reversed(ctx: Context, x: Operand) -> Value:
    return ctx.build.transpose(ctx.value(x), range(x.rank)[::-1])


@rule("t", "mT")
def _matrix_transpose(ctx: Context, x: Operand) -> Value:
    value = ctx.value(x)
    return _transpose(ctx, value, -2, -1) if value.rank > 1 else value


@rule("movedim")
def _move(ctx: Context, x: Operand, source: Any, target: Any) -> Value:
    value = ctx.value(x)
    order = np.moveaxis(np.empty(range(2, 2 + value.rank)), source, target).shape
    return ctx.build.transpose(value, [n - 2 for n in order])


@rule("expand")
def _expand(ctx: Context, x: Operand, shape: Sequence[int], implicit: bool = False) -> Value:
    more = len(shape) - x.rank
    full = [x.shape[a - more] if n == -1 else n for a, n in enumerate(shape)]
    return ctx.build.expand(ctx.name, x, tuple(full))


@rule("expand_as")
def _expand_as(ctx: Context, x: Operand, other: Operand) -> Value:
    return ctx.build.expand(ctx.name, x, other.shape)


@rule("repeat", "tile")
def _repeat(ctx: Context, x: Operand, times: Sequence[int]) -> Value:
    value = ctx.value(x)
    times = (*(1,) * (value.rank - len(times)), *times)
    value = ctx.build.reshape(ctx.name, value, (*(1,) * (len(times) - value.rank), *value.shape))
    for axis, count in enumerate(times):
        if count != 1:
            value = ctx.build.concatenate(ctx.name, [value] * count, axis)
    return value


@rule("repeat_interleave")
def _repeat_interleave(
    ctx: Context, x: Operand, times: int, axis: int | None = None, **kwargs: Any
) -> Value:
    value = ctx.value(x)
    if not isinstance(times, int) or axis is None:
        raise ValueError("repeat_interleave by a tensor is not supported")
    indices = np.repeat(np.arange(value.shape[axis]), times)
    return ctx.build.take(ctx.name, value, axis, indices)


@rule("cat", "concat")
def _concatenate(ctx: Context, operands: Sequence[Operand], axis: int = 0) -> Value:
    filled = [operand for operand in operands if 0 not in operand.shape]
    return ctx.build.concatenate(ctx.name, filled, axis)


@rule("stack")
def _stack(ctx: Context, operands: Sequence[Operand], axis: int = 0) -> Value:
    place = axis % (operands[0].rank + 1)
    return _concatenate(ctx, [_unsqueeze(ctx, operand, place) for operand in operands], place)


@rule("slice")
def _slice(
    ctx: Context,
    x: Operand,
    axis: int = 0,
    start: int | None = None,
    stop: int | None = None,
    step: int = 1,
) -> Value:
    value = ctx.value(x)
    first, last, stride = slice(start, stop, step).indices(value.shape[axis])
    return ctx.build.slice(ctx.name, value, axis, first, last, stride)


@rule("narrow")
def _narrow(ctx: Context, x: Operand, axis: int, start: int, length: int) -> Value:
    first = start % x.shape[axis] if start < 0 else start
    return _slice(ctx, x, axis, first, first + length)


@rule("select")
def _select(ctx: Context, x: Operand, axis: int, index: int) -> Value:
    value = ctx.value(x)
    place, first = axis % value.rank, index % value.shape[axis]
    one = ctx.build.slice(ctx.name, value, place, first, first + 1)
    return ctx.build.reshape(ctx.name, one, (*one.shape[:place], *one.shape[place + 1 :]))


@rule("unbind")
def _unbind(ctx: Context, x: Operand, axis: int = 0) -> tuple[Value, ...]:
    value = ctx.value(x)
    return tuple(_select(ctx, value, axis, index) for index in range(value.shape[axis]))


@rule("split", "split_with_sizes")
def _split(ctx: Context, x: Operand, sizes: Any, axis: int = 0) -> tuple[Value, ...]:
    value = ctx.value(x)
    length = value.shape[axis]
    if isinstance(sizes, int):
        sizes = [min(sizes, length - start) for start in range(0, length, sizes)]
    ends = np.cumsum(sizes)
    return tuple(
        ctx.build.slice(ctx.name, value, axis, int(end - size), int(end))
        for size, end in zip(sizes, ends, strict=True)
    )


@rule("chunk")
def _chunk(ctx: Context, x: Operand, count: int, axis: int = 0) -> tuple[Value, ...]:
    return _split(ctx, x, -(-x.shape[axis] // count), axis)


@rule("tensor_split")
def _tensor_split(ctx: Context, x: Operand, count: Any, axis: int = 0) -> tuple[Value, ...]:
    sizes = [len(part) for part in np.array_split(np.arange(x.shape[axis]), count)]
    return _split(ctx, x, sizes, axis)


@rule("index_select")
def _index_select(ctx: Context, x: Operand, axis: int, indices: Known) -> Value:
    return ctx.build.take(ctx.name, ctx.value(x), axis, indices.array)


@rule("index")
def _index(ctx: Context, x: Operand, indices: Sequence[Operand | None]) -> Value:
    value = ctx.value(x)
    if any(isinstance(index, Value) for index in indices):
        raise ValueError("indexing by what depends on the images is not supported")
    given = [axis for axis, index in enumerate(indices) if index is not None]
    arrays = [indices[axis].array for axis in given]  # type: ignore[union-attr]
    if any(array.dtype == bool for array in arrays):
        raise ValueError("indexing by a mask is not supported")
    if len(given) == 1:
        return ctx.build.take(ctx.name, value, given[0], arrays[0])
    if given != list(range(given[0], given[-1] + 1)):
        raise ValueError("indexing of axes that are apart is not supported")
    # Axes that are indexed together become one.
    sizes = tuple(value.shape[axis] for axis in given)
    merged = (*value.shape[: given[0]], math.prod(sizes), *value.shape[given[-1] + 1 :])
    flat = np.ravel_multi_index(
        tuple(a % n for a, n in zip(np.broadcast_arrays(*arrays), sizes, strict=True)), sizes
    )
    lines = ctx.build.reshape(ctx.name, value, merged)
    return ctx.build.take(ctx.name, lines, given[0], flat)


@rule("roll")
def _roll(ctx: Context, x: Operand, shifts: Any, axes: Any = ()) -> Value:
    value = ctx.value(x)
    shifts = (shifts,) if isinstance(shifts, int) else shifts
    axes = (axes,) if isinstance(axes, int) else axes
    if axes:
        return ctx.build.roll(ctx.name, value, shifts, axes)
    flat = ctx.build.reshape(ctx.name, value, (math.prod(value.shape),))
    rolled = ctx.build.roll(ctx.name, flat, shifts, (0,))
    return ctx.build.reshape(ctx.name, rolled, value.shape)


@rule("flip")
def _flip(ctx: Context, x: Operand, axes: Sequence[int]) -> Value:
    value = ctx.value(x)
    for axis in axes:
        value = ctx.build.slice(ctx.name, value, axis, value.shape[axis] - 1, -1, -1)
    return value


@rule("fliplr")
def _flip_left_right(ctx: Context, x: Operand) -> Value:
    return _flip(ctx, x, (1,))


@rule("rot90")
def _rotate(ctx: Context, x: Operand, times: int = 1, axes: Sequence[int] = (0, 1)) -> Value:
    turns = times % 4
    flipped = _flip(ctx, x, ((), (axes[1],), tuple(axes), (axes[0],))[turns])
    return _transpose(ctx, flipped, axes[0], axes[1]) if turns % 2 else flipped


@rule("constant_pad_nd")
def _pad_constant(ctx: Context, x: Operand, sides: Sequence[int], value: Number = 0) -> Value:
    return _pad(ctx, x, sides, "constant", value)


@rule("reflection_pad1d", "reflection_pad2d")
def _pad_reflected(ctx: Context, x: Operand, sides: Sequence[int]) -> Value:
    return _pad(ctx, x, sides, "reflect")


@rule("replication_pad1d", "replication_pad2d")
def _pad_replicated(ctx: Context, x: Operand, sides: Sequence[int]) -> Value:
    return _pad(ctx, x, sides, "replicate")


@rule("pad")
def _pad(
    ctx: Context,
    x: Operand,
    sides: Sequence[int],
    mode: str = "constant",
    value: Number | None = None,
) -> Value:
    given = ctx.value(x)
    pairs = [(sides[i], sides[i + 1]) for i in range(0, len(sides), 2)][::-1]
    pads = [(0, 0)] * (given.rank - len(pairs)) + pairs
    if not any(map(any, pads)):
        return given
    name = {"replicate": "edge", "circular": "wrap"}.get(mode, mode)
    return ctx.build.pad(ctx.name, given, pads, name, value or 0.0)


@rule("unfold")
def _windows(ctx: Context, x: Operand, axis: int, size: int, step: int) -> Value:
    """Tensor.unfold: windows of an axis, in a new axis behind all others."""
    value = ctx.value(x)
    place = axis % value.rank
    starts = np.arange(0, value.shape[place] - size + 1, step)
    taken = ctx.build.take(ctx.name, value, place, starts[:, None] + np.arange(size))
    order = [a for a in range(taken.rank) if a != place + 1]
    return ctx.build.transpose(taken, [*order, place + 1])


@rule("im2col")
def _columns(
    ctx: Context, x: Operand, window: Sizes, dilation: Sizes, padding: Sizes, strides: Sizes
) -> Value:
    """F.unfold: all elements of each window as channels, `[…, C kh kw, windows]`."""
    given = ctx.value(x)
    value = ctx.build.reshape(ctx.name, given, (1, *given.shape)) if given.rank == 3 else given
    height, width = each(padding, 2)
    value = ctx.build.pad(ctx.name, value, [(0, 0), (0, 0), (height, height), (width, width)])
    settings = zip(each(window, 2), each(dilation, 2), each(strides, 2), strict=True)
    for axis, (size, apart, step) in zip((2, 4), settings, strict=True):
        starts = np.arange(0, value.shape[axis] - (size - 1) * apart, step)
        indices = starts[:, None] + apart * np.arange(size)
        value = ctx.build.take(ctx.name, value, axis, indices)
    batch, channels, rows, tall, columns, wide = value.shape
    moved = ctx.build.transpose(value, (0, 1, 3, 5, 2, 4))
    shape = (batch, channels * tall * wide, rows * columns)
    return ctx.build.reshape(ctx.name, moved, shape[-(given.rank - 1) :])


@rule("pixel_shuffle")
def _pixel_shuffle(ctx: Context, x: Operand, factor: int) -> Value:
    value = ctx.value(x)
    *lead, channels, height, width = value.shape
    out, first = channels // factor**2, len(lead)
    cells = ctx.build.reshape(ctx.name, value, (*lead, out, factor, factor, height, width))
    order = (*range(first), *(first + axis for axis in (0, 3, 1, 4, 2)))
    moved = ctx.build.transpose(cells, order)
    return ctx.build.reshape(ctx.name, moved, (*lead, out, height * factor, width * factor))


@rule("pixel_unshuffle")
def _pixel_unshuffle(ctx: Context, x: Operand, factor: int) -> Value:
    value = ctx.value(x)
    *lead, channels, height, width = value.shape
    tall, wide, first = height // factor, width // factor, len(lead)
    cells = ctx.build.reshape(ctx.name, value, (*lead, channels, tall, factor, wide, factor))
    order = (*range(first), *(first + axis for axis in (0, 2, 4, 1, 3)))
    moved = ctx.build.transpose(cells, order)
    return ctx.build.reshape(ctx.name, moved, (*lead, channels * factor**2, tall, wide))


@rule("channel_shuffle")
def _channel_shuffle(ctx: Context, x: Operand, groups: int) -> Value:
    value = ctx.value(x)
    batch, channels, *sizes = value.shape
    apart = ctx.build.reshape(ctx.name, value, (batch, groups, channels // groups, *sizes))
    moved = ctx.build.transpose(apart, (0, 2, 1, *range(3, 3 + len(sizes))))
    return ctx.build.reshape(ctx.name, moved, value.shape)
