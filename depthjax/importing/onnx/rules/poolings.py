"""Poolings."""

from collections.abc import Callable, Sequence
from typing import Any

from depthjax.importing import layers
from depthjax.importing.nodes import Operand
from depthjax.importing.onnx.registry import Context, UnsupportedError, rule
from depthjax.importing.onnx.rules.windows import each, sides
from depthjax.importing.values import Value
from depthjax.models.operations.average_pool import AveragePool
from depthjax.models.operations.max_pool import MaxPool

Pair = tuple[Any, Any]


@rule("MaxPool")
def _max_pool(ctx: Context, x: Operand, *, kernel_shape: Sequence[int], **moves: Any) -> Value:
    if ctx.outputs > 1:
        raise UnsupportedError("indices of the winners")

    def operation(size: Pair, steps: Pair, ends: Pair, spread: Pair, ceil: bool) -> MaxPool:
        return MaxPool(size, steps, ends, spread, ceil)

    return _pooled(ctx, ctx.value(x), operation, kernel_shape, **moves)


@rule("AveragePool")
def _average_pool(
    ctx: Context,
    x: Operand,
    *,
    kernel_shape: Sequence[int],
    count_include_pad: int = 0,
    **moves: Any,
) -> Value:
    def operation(size: Pair, steps: Pair, ends: Pair, spread: Pair, ceil: bool) -> AveragePool:
        return AveragePool(size, steps, ends, spread, ceil, bool(count_include_pad))

    return _pooled(ctx, ctx.value(x), operation, kernel_shape, **moves)


@rule("LpPool")
def _lp_pool(
    ctx: Context, x: Operand, *, kernel_shape: Sequence[int], p: int = 2, **moves: Any
) -> Value:
    """The mean of powers, times the number of positions, padding included."""

    def operation(size: Pair, steps: Pair, ends: Pair, spread: Pair, ceil: bool) -> AveragePool:
        return AveragePool(size, steps, ends, spread, ceil, True)

    build, count = ctx.build, 1
    for size in kernel_shape:
        count *= size
    if moves.get("ceil_mode"):
        raise UnsupportedError("ceil_mode")  # windows that end beyond the padding count fewer
    magnitude = build.function(ctx.name, "abs", ctx.value(x))
    powers = build.arithmetic(ctx.name, "power", magnitude, p)
    mean = _pooled(ctx, powers, operation, kernel_shape, **moves)
    total = build.arithmetic(ctx.name, "multiply", mean, count)
    return build.arithmetic(ctx.name, "power", total, 1 / p)


def _pooled(
    ctx: Context,
    x: Value,
    operation: Callable[..., Any],
    sizes: Sequence[int],
    *,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    dilations: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
    **_: Any,
) -> Value:
    """Two axes at a time, which maxima and means of windows allow."""
    axes = len(sizes)
    steps, spread = each(strides, axes), each(dilations, axes)
    ends = sides(auto_pad, pads, x.shape[2:], sizes, steps, spread)
    settings = list(zip(sizes, steps, ends, spread, strict=True))
    for first in range(0, axes, 2):
        pair = settings[first : first + 2]
        places = [2 + first + i for i in range(len(pair))]
        order = [*(a for a in range(x.rank) if a not in places), *places]
        turned = ctx.build.transpose(x, order)
        if len(pair) == 1:
            pair = [(1, 1, (0, 0), 1), *pair]
            turned = ctx.build.reshape(
                f"{ctx.name}.line", turned, (*turned.shape[:-1], 1, turned.shape[-1])
            )
        size, step, end, wide = zip(*pair, strict=True)
        turned = layers.pool(
            ctx.build, ctx.name, turned, operation(size, step, end, wide, bool(ceil_mode))
        )
        if len(places) == 1:
            turned = ctx.build.reshape(
                f"{ctx.name}.line", turned, (*turned.shape[:-2], turned.shape[-1])
            )
        x = ctx.build.transpose(turned, [order.index(a) for a in range(x.rank)])
    for axis in range(axes):
        if auto_pad.startswith("SAME") and steps[axis] > 1:  # these paddings are of this size
            ctx.build.hold(x, 2 + axis)
    return x


@rule("GlobalAveragePool")
def _global_average(ctx: Context, x: Operand) -> Value:
    return _over_positions(ctx, x, "mean")


@rule("GlobalMaxPool")
def _global_max(ctx: Context, x: Operand) -> Value:
    return _over_positions(ctx, x, "max")


@rule("GlobalLpPool")
def _global_lp(ctx: Context, x: Operand, *, p: int = 2) -> Value:
    if p not in (1, 2):
        raise UnsupportedError(f"p={p}")
    return _over_positions(ctx, x, f"l{p}")


def _over_positions(ctx: Context, x: Operand, name: str) -> Value:
    value = ctx.value(x)
    return ctx.build.reduce(ctx.name, name, value, range(2, value.rank), True)
