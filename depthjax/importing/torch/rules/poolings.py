"""Poolings and resizing."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from depthjax.importing import layers
from depthjax.importing.nodes import Operand
from depthjax.importing.resizing import resize_matrix, smooth_matrix
from depthjax.importing.torch.registry import Context, Sizes, each, rule
from depthjax.importing.values import Value
from depthjax.models.operations.average_pool import AveragePool
from depthjax.models.operations.max_pool import MaxPool


@rule("max_pool2d_with_indices")
def _max_pool_and_where(ctx: Context, *args: Any) -> tuple[Value, None]:
    return _max_pool(ctx, *args), None


@rule("max_pool2d")
def _max_pool(
    ctx: Context,
    x: Operand,
    window: Sizes,
    strides: Sizes = (),
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil: bool = False,
) -> Value:
    size = each(window, 2)
    moves = each(strides or window, 2), _sides(padding), each(dilation, 2)
    return layers.pool(ctx.build, ctx.name, ctx.value(x), MaxPool(size, *moves, ceil))  # type: ignore[arg-type]


@rule("avg_pool2d")
def _average_pool(
    ctx: Context,
    x: Operand,
    window: Sizes,
    strides: Sizes = (),
    padding: Sizes = 0,
    ceil: bool = False,
    count_padding: bool = True,
    divisor: int | None = None,
) -> Value:
    if divisor and ceil:
        raise ValueError("average pooling with a divisor and ceil_mode is not supported")
    size = each(window, 2)
    moves = (
        each(strides or window, 2),
        _sides(padding),
        (1, 1),
        ceil,
        bool(count_padding or divisor),
    )
    made = layers.pool(ctx.build, ctx.name, ctx.value(x), AveragePool(size, *moves))  # type: ignore[arg-type]
    if not divisor:
        return made
    return ctx.build.arithmetic(ctx.name, "multiply", made, math.prod(size) / divisor)


@rule("avg_pool3d")
def _average_pool_3d(
    ctx: Context,
    x: Operand,
    window: Sizes,
    strides: Sizes = (),
    padding: Sizes = 0,
    ceil: bool = False,
    count_padding: bool = True,
    divisor: int | None = None,
) -> Value:
    """A product along each axis, as `local_response_norm` asks for one along the channels."""
    sides = each(padding, 3)
    if ceil or divisor or (any(sides) and not count_padding):
        raise ValueError("average pooling in 3 axes with settings of its own is not supported")
    value, matrices = ctx.value(x), {}
    for axis, size, step, side in zip(
        (-3, -2, -1), each(window, 3), each(strides or window, 3), sides, strict=True
    ):
        length = value.shape[axis]
        starts = np.arange(0, length + 2 * side - size + 1, step)[:, None] - side
        away = np.arange(length) - starts
        if (size, step, side) != (1, 1, 0):
            matrices[axis] = ((away >= 0) & (away < size)) / size
    return layers.resample(ctx.build, ctx.name, value, matrices)


@rule("max_pool1d")
def _max_pool_1d(
    ctx: Context,
    x: Operand,
    window: Sizes,
    strides: Sizes = (),
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil: bool = False,
) -> Value:
    moves = _of_row(window, 1), _of_row(strides or window, 1), _of_row(padding, 0)
    return _in_a_row(ctx, x, _max_pool, *moves, _of_row(dilation, 1), ceil)


@rule("avg_pool1d")
def _average_pool_1d(
    ctx: Context,
    x: Operand,
    window: Sizes,
    strides: Sizes = (),
    padding: Sizes = 0,
    *counting: bool,
) -> Value:
    moves = _of_row(window, 1), _of_row(strides or window, 1), _of_row(padding, 0)
    return _in_a_row(ctx, x, _average_pool, *moves, *counting)


def _of_row(setting: Sizes, across: int) -> tuple[int, int]:
    """A setting of one axis as that of an image of one row."""
    return across, *each(setting, 1)  # type: ignore[return-value]


def _in_a_row(ctx: Context, x: Operand, pool: Callable[..., Value], *settings: Any) -> Value:
    """A pooling over the last axis, as one over images of one row."""
    value = ctx.value(x)
    row = ctx.build.reshape(ctx.name, value, (*value.shape[:-1], 1, value.shape[-1]))
    pooled = pool(ctx, row, *settings)
    return ctx.build.reshape(ctx.name, pooled, (*pooled.shape[:-2], pooled.shape[-1]))


def _sides(padding: Sizes) -> tuple[tuple[int, int], ...]:
    return tuple((n, n) for n in each(padding, 2))


@rule("adaptive_avg_pool2d")
def _adaptive_average_pool(ctx: Context, x: Operand, size: Sequence[int | None]) -> Value:
    value = ctx.value(x)
    height, width = (
        n if wanted is None else wanted for wanted, n in zip(size, value.shape[-2:], strict=True)
    )
    return layers.adaptive_average_pool(ctx.build, ctx.name, value, (height, width))


@rule("adaptive_avg_pool1d")
def _adaptive_average_pool_1d(ctx: Context, x: Operand, size: Sizes) -> Value:
    value = ctx.value(x)
    if each(size, 1) != (1,):
        raise ValueError("adaptive_avg_pool1d to another size than 1 is not supported")
    return ctx.build.reduce(ctx.name, "mean", value, (-1,), True)


@rule("adaptive_max_pool2d")
def _adaptive_max_pool(ctx: Context, x: Operand, size: Sizes) -> tuple[Value, None]:
    value = ctx.value(x)
    if each(size, 2) == (1, 1):
        return ctx.build.reduce(ctx.name, "max", value, (-2, -1), True), None
    for axis, outputs in zip((value.rank - 2, value.rank - 1), each(size, 2), strict=True):
        length = value.shape[axis]
        cells = [
            ctx.build.slice(ctx.name, value, axis, n * length // outputs, end)
            for n in range(outputs)
            for end in [-(-(n + 1) * length // outputs)]
        ]
        largest = [ctx.build.reduce(ctx.name, "max", cell, (axis,), True) for cell in cells]
        value = ctx.build.concatenate(ctx.name, largest, axis)
    return value, None


@rule("upsample_nearest2d")
def _nearest(ctx: Context, x: Operand, size: Any, *scales: Any) -> Value:
    return _resize(ctx, x, size, "nearest", False, scales)


@rule("_upsample_nearest_exact2d")
def _nearest_centre(ctx: Context, x: Operand, size: Any, *scales: Any) -> Value:
    return _resize(ctx, x, size, "nearest centre", False, scales)


@rule("upsample_bilinear2d")
def _bilinear(ctx: Context, x: Operand, size: Any, corners: bool, *scales: Any) -> Value:
    return _resize(ctx, x, size, "linear", corners, scales)


@rule("upsample_bicubic2d")
def _bicubic(ctx: Context, x: Operand, size: Any, corners: bool, *scales: Any) -> Value:
    return _resize(ctx, x, size, "cubic", corners, scales)


@rule("_upsample_bilinear2d_aa")
def _bilinear_smooth(ctx: Context, x: Operand, size: Any, corners: bool, *scales: Any) -> Value:
    return _resize(ctx, x, size, "linear", corners, scales, smooth_matrix)


@rule("_upsample_bicubic2d_aa")
def _bicubic_smooth(ctx: Context, x: Operand, size: Any, corners: bool, *scales: Any) -> Value:
    return _resize(ctx, x, size, "cubic", corners, scales, smooth_matrix)


_NEVER_NOTHING = ("nearest centre", "cubic")
"""Resizings that PyTorch computes by the factor also where the length stays as it is."""


def _resize(
    ctx: Context,
    x: Operand,
    size: Any,
    kind: str,
    corners: bool,
    scales: Sequence[Any],
    matrix: Callable[..., np.ndarray] = resize_matrix,
) -> Value:
    value = ctx.value(x)
    factors = scales[0] if len(scales) == 1 else scales or (None, None)
    factors = factors or (None, None)
    matrices: dict[int, np.ndarray] = {}
    for axis in (2, 3):
        length, factor = value.shape[axis], factors[axis - 2]
        outputs = int(length * (factor or 1)) if size is None else int(size[axis - 2])
        if outputs != length or kind in _NEVER_NOTHING:
            matrices[axis] = matrix(length, outputs, kind, corners, factor)
    return layers.resample(ctx.build, ctx.name, value, matrices)
