"""Operations that move or copy elements, and the arithmetic of shapes."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from depthjax.importing.nodes import Operand
from depthjax.importing.onnx.registry import Context, Setting, UnsupportedError, rule
from depthjax.importing.values import Known, Value, matched_groups


@rule("Shape")
def _shape(ctx: Context, x: Operand, *, start: int = 0, end: int | None = None) -> Known:
    return Known(np.asarray(x.shape[slice(start, end)], np.int64))


@rule("Size")
def _size(ctx: Context, x: Operand) -> Known:
    return Known(np.asarray(math.prod(x.shape), np.int64))


@rule("Reshape")
def _reshape(ctx: Context, x: Operand, shape: Setting, *, allowzero: int = 0, **_: Any) -> Value:
    value = ctx.value(x)
    wanted = ctx.ints(shape, "a shape") or ()
    full = [value.shape[axis] if n == 0 and not allowzero else n for axis, n in enumerate(wanted)]
    for first in dict.fromkeys((full[0] if full else 1, _for_one(ctx, full, value))):
        target = _completed((first, *full[1:]) if full else (), math.prod(value.shape))
        if matched_groups(value.shape, target) is not None:
            return ctx.build.reshape(ctx.name, value, target)
    raise ValueError(f"{[*value.shape]} does not fit into the shape {[*wanted]}")


def _for_one(ctx: Context, shape: Sequence[int], value: Value) -> int:
    """The first size of a shape, for one image where the file says how many it was exported for."""
    for_all = ctx.batch > 1 and value.batched and shape and shape[0] == ctx.batch
    return 1 if for_all else (shape[0] if shape else 1)


def _completed(shape: Sequence[int], elements: int) -> tuple[int, ...]:
    known = math.prod(n for n in shape if n != -1)
    return tuple(elements // known if n == -1 and known else n for n in shape)


@rule("Flatten")
def _flatten(ctx: Context, x: Operand, *, axis: int = 1) -> Value:
    value = ctx.value(x)
    place = axis if axis == value.rank else axis % value.rank
    shape = (math.prod(value.shape[:place]), math.prod(value.shape[place:]))
    return ctx.build.reshape(ctx.name, value, shape)


@rule("Squeeze")
def _squeeze(ctx: Context, x: Operand, axes: Setting = None) -> Value:
    value = ctx.value(x)
    asked = ctx.ints(axes, "axes")
    places = range(value.rank) if asked is None else [a % value.rank for a in asked]
    dropped = {a for a in places if value.shape[a] == 1 or asked is not None}
    return ctx.build.reshape(
        ctx.name, value, tuple(n for a, n in enumerate(value.shape) if a not in dropped)
    )


@rule("Unsqueeze")
def _unsqueeze(ctx: Context, x: Operand, axes: Setting) -> Value:
    value = ctx.value(x)
    asked = ctx.ints(axes, "axes") or ()
    rank = value.rank + len(asked)
    new = {a % rank for a in asked}
    sizes = iter(value.shape)
    shape = tuple(1 if a in new else next(sizes) for a in range(rank))
    return ctx.build.reshape(ctx.name, value, shape)


@rule("Transpose")
def _transpose(ctx: Context, x: Operand, *, perm: Sequence[int] | None = None) -> Value:
    value = ctx.value(x)
    return ctx.build.transpose(value, perm if perm is not None else range(value.rank)[::-1])


@rule("Concat")
def _concatenate(ctx: Context, *operands: Operand, axis: int = 1) -> Operand:
    filled = [operand for operand in operands if 0 not in operand.shape]
    return filled[0] if len(filled) == 1 else ctx.build.concatenate(ctx.name, filled, axis)


@rule("Split")
def _split(
    ctx: Context,
    x: Operand,
    split: Setting = None,
    *,
    axis: int = 0,
    num_outputs: int | None = None,
) -> tuple[Value, ...]:
    value = ctx.value(x)
    sizes = ctx.ints(split, "sizes of a split")
    if sizes is None:
        count = num_outputs or ctx.outputs
        each = -(-value.shape[axis] // count)
        sizes = (*(each,) * (count - 1), value.shape[axis] - each * (count - 1))
    ends = np.cumsum((0, *sizes)).tolist()
    return tuple(
        ctx.build.slice(ctx.name, value, axis, start, stop) for start, stop in pairwise(ends)
    )


@rule("Slice")
def _slice_attributes(
    ctx: Context,
    x: Operand,
    *,
    starts: Sequence[int],
    ends: Sequence[int],
    axes: Sequence[int] | None = None,
) -> Value:
    return _sliced(ctx, x, starts, ends, axes or range(len(starts)), [1] * len(starts))


@rule("Slice", since=10)
def _slice(
    ctx: Context,
    x: Operand,
    starts: Operand,
    ends: Operand,
    axes: Operand | None = None,
    steps: Operand | None = None,
) -> Value:
    first, last = ctx.ints(starts, "a start") or (), ctx.ints(ends, "an end") or ()
    places = ctx.ints(axes, "axes")
    strides = ctx.ints(steps, "steps")
    return _sliced(
        *(ctx, x, first, last),
        range(len(first)) if places is None else places,
        [1] * len(first) if strides is None else strides,
    )


_END = 2**31 - 1
"""An end from here on means: to the end of any axis."""


def _sliced(
    ctx: Context,
    x: Operand,
    starts: Sequence[int],
    ends: Sequence[int],
    axes: Sequence[int],
    steps: Sequence[int],
) -> Value:
    value = ctx.value(x)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        positions = range(*slice(start, end, step).indices(value.shape[axis]))
        if step == 1 and len(positions) == value.shape[axis] and (start < 0 or end < _END):
            ctx.build.hold(value, axis)  # of a longer axis it would be a part
        value = ctx.build.slice(
            ctx.name, value, axis, positions.start, positions.stop, positions.step
        )
    return value


@rule("Expand")
def _expand(ctx: Context, x: Operand, shape: Operand) -> Value:
    wanted = list(ctx.ints(shape, "a shape") or ())
    value = ctx.value(x)
    if ctx.batch > 1 and wanted and wanted[0] == ctx.batch and value.shape[:1] != (ctx.batch,):
        wanted[0] = 1
    return ctx.build.expand(ctx.name, x, np.broadcast_shapes(x.shape, tuple(wanted)))


@rule("Tile")
def _tile(ctx: Context, x: Operand, repeats: Operand, **_: Any) -> Value:
    value = ctx.value(x)
    for axis, count in enumerate(ctx.ints(repeats, "repeats") or ()):
        if count != 1:
            value = ctx.build.concatenate(ctx.name, [value] * count, axis)
    return value


_MODES = ("constant", "reflect", "edge", "wrap")


@rule("Pad")
def _pad(
    ctx: Context,
    x: Operand,
    pads: Setting,
    value: Setting = None,
    axes: Operand | None = None,
    *,
    mode: str = "constant",
) -> Value:
    padded = ctx.value(x)
    sides = ctx.ints(pads, "padding") or ()
    fill = ctx.array(value, "the value of padding")
    places = ctx.ints(axes, "axes")
    if mode not in _MODES:
        raise UnsupportedError(f"mode={mode!r}")
    full = [(0, 0)] * padded.rank
    half = len(sides) // 2
    for index, axis in enumerate(range(padded.rank) if places is None else places):
        full[axis] = (sides[index], sides[half + index])
    if not any(map(any, full)):
        return padded
    number = 0.0 if fill is None else float(np.ravel(fill)[0])
    return ctx.build.pad(ctx.name, padded, full, mode, number)


@rule("DepthToSpace")
def _depth_to_space(ctx: Context, x: Operand, *, blocksize: int, mode: str = "DCR") -> Value:
    build, value = ctx.build, ctx.value(x)
    n, c, h, w = value.shape
    b = blocksize
    if mode == "DCR":
        split = build.reshape(ctx.name, value, (n, b, b, c // b**2, h, w))
        turned = build.transpose(split, (0, 3, 4, 1, 5, 2))
    else:
        split = build.reshape(ctx.name, value, (n, c // b**2, b, b, h, w))
        turned = build.transpose(split, (0, 1, 4, 2, 5, 3))
    return build.reshape(ctx.name, turned, (n, c // b**2, h * b, w * b))


@rule("SpaceToDepth")
def _space_to_depth(ctx: Context, x: Operand, *, blocksize: int, mode: str = "DCR") -> Value:
    build, value = ctx.build, ctx.value(x)
    n, c, h, w = value.shape
    b = blocksize
    split = build.reshape(ctx.name, value, (n, c, h // b, b, w // b, b))
    order = (0, 3, 5, 1, 2, 4) if mode == "DCR" else (0, 1, 3, 5, 2, 4)
    return build.reshape(ctx.name, build.transpose(split, order), (n, c * b * b, h // b, w // b))


@rule("CenterCropPad")
def _center_crop_pad(
    ctx: Context, x: Operand, shape: Operand, *, axes: Sequence[int] | None = None
) -> Value:
    value = ctx.value(x)
    sizes = ctx.ints(shape, "a shape") or ()
    for axis, size in zip(range(value.rank) if axes is None else axes, sizes, strict=True):
        more = size - value.shape[axis]
        if more < 0:
            start = -more // 2
            value = ctx.build.slice(ctx.name, value, axis, start, start + size)
        elif more > 0:
            pads = [(0, 0)] * value.rank
            pads[axis] = (more // 2, more - more // 2)
            value = ctx.build.pad(ctx.name, value, pads)
        else:
            ctx.build.hold(value, axis)
    return value
