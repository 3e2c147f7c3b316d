"""Reductions, softmax and norms."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from depthjax.importing import layers
from depthjax.importing.nodes import Operand
from depthjax.importing.torch.registry import Context, Number, rule
from depthjax.importing.torch.rules.elementwise import convert
from depthjax.importing.values import Value
from depthjax.models.operations.along_axis import AlongAxis
from depthjax.models.operations.softmax import Softmax

Axes = int | Sequence[int] | None


def _reduce(ctx: Context, name: str, x: Operand, axes: Axes, keep: bool) -> Value:
    listed = () if axes is None else (axes,) if isinstance(axes, int) else tuple(axes)
    value = ctx.value(x)
    return ctx.build.reduce(ctx.name, name, value, listed, keep)


@rule("mean")
def _mean(
    ctx: Context, x: Operand, axes: Axes = None, keep: bool = False, *, dtype: Any = None
) -> Value:
    return _reduce(ctx, "mean", convert(ctx, x, dtype=dtype), axes, keep)


@rule("sum")
def _sum(
    ctx: Context, x: Operand, axes: Axes = None, keep: bool = False, *, dtype: Any = None
) -> Value:
    return _reduce(ctx, "sum", convert(ctx, x, dtype=dtype), axes, keep)


@rule("amax")
def _max(ctx: Context, x: Operand, axes: Axes = (), keep: bool = False) -> Value:
    return _reduce(ctx, "max", x, axes, keep)


@rule("amin")
def _min(ctx: Context, x: Operand, axes: Axes = (), keep: bool = False) -> Value:
    return _reduce(ctx, "min", x, axes, keep)


@rule("max")
def _max_along(ctx: Context, x: Operand, axis: Any = None, keep: bool = False) -> Any:
    if isinstance(axis, int) or axis is None:
        largest = _reduce(ctx, "max", x, axis, keep)
        return largest if axis is None else (largest, None)
    return ctx.build.arithmetic(ctx.name, "maximum", x, axis)


@rule("min")
def _min_along(ctx: Context, x: Operand, axis: Any = None, keep: bool = False) -> Any:
    if isinstance(axis, int) or axis is None:
        smallest = _reduce(ctx, "min", x, axis, keep)
        return smallest if axis is None else (smallest, None)
    return ctx.build.arithmetic(ctx.name, "minimum", x, axis)


@rule("logsumexp")
def _log_sum_exp(ctx: Context, x: Operand, axes: Axes, keep: bool = False) -> Value:
    return _reduce(ctx, "logsumexp", x, axes, keep)


@rule("prod")
def _product(
    ctx: Context, x: Operand, axes: Axes = None, keep: bool = False, *, dtype: Any = None
) -> Value:
    return _reduce(ctx, "prod", convert(ctx, x, dtype=dtype), axes, keep)


@rule("var")
def _variance(
    ctx: Context,
    x: Operand,
    axes: Any = None,
    unbiased: bool = True,
    keep: bool = False,
    *,
    correction: Number | None = None,
    keepdim: bool = False,
) -> Value:
    if isinstance(axes, bool):  # an overload of all axes has `unbiased` in their place
        axes, unbiased = None, axes
    taken_off = int(unbiased) if correction is None else correction
    if taken_off not in (0, 1):
        raise ValueError(f"a variance with correction={correction} is not supported")
    name = "unbiased_variance" if taken_off else "variance"
    return _reduce(ctx, name, x, axes, keep or keepdim)


@rule("std")
def _deviation(ctx: Context, x: Operand, *args: Any, **kwargs: Any) -> Value:
    return ctx.build.function(ctx.name, "sqrt", _variance(ctx, x, *args, **kwargs))


@rule("var_mean")
def _variance_and_mean(
    ctx: Context, x: Operand, axes: Any = None, *args: Any, **kwargs: Any
) -> tuple[Value, Value]:
    keep = bool(kwargs.get("keepdim", args[1] if len(args) > 1 else False))
    over = None if isinstance(axes, bool) else axes
    return _variance(ctx, x, axes, *args, **kwargs), _reduce(ctx, "mean", x, over, keep)


@rule("std_mean")
def _deviation_and_mean(ctx: Context, x: Operand, *args: Any, **kwargs: Any) -> tuple[Value, Value]:
    variance, mean = _variance_and_mean(ctx, x, *args, **kwargs)
    return ctx.build.function(ctx.name, "sqrt", variance), mean


@rule("linalg_vector_norm", "norm")
def _norm(
    ctx: Context,
    x: Operand,
    order: Any = 2,
    axes: Axes = None,
    keep: bool = False,
    *,
    dtype: Any = None,
) -> Value:
    if order == math.inf:
        return _reduce(ctx, "max", ctx.build.function(ctx.name, "abs", ctx.value(x)), axes, keep)
    order = 2 if order is None else order
    if order not in (1, 2):
        raise ValueError(f"the norm of order {order} is not supported")
    return _reduce(ctx, f"l{int(order)}", convert(ctx, x, dtype=dtype), axes, keep)


@rule("cosine_similarity")
def _cosine(ctx: Context, x: Operand, y: Operand, axis: int = 1, epsilon: Number = 1e-8) -> Value:
    build = ctx.build
    shape = np.broadcast_shapes(x.shape, y.shape)
    if x.rank != y.rank or x.shape[axis] != y.shape[axis]:
        x, y = (build.expand(ctx.name, z, shape) for z in (x, y))
    lengths = [
        build.arithmetic(
            ctx.name, "maximum", _reduce(ctx, "l2", z, axis, keep=False), float(epsilon)
        )
        for z in (x, y)
    ]
    product = build.arithmetic(ctx.name, "multiply", x, y)
    total = _reduce(ctx, "sum", product, axis, keep=False)
    return build.arithmetic(
        ctx.name, "divide", total, build.arithmetic(ctx.name, "multiply", *lengths)
    )


@rule("cumsum")
def _running_sum(ctx: Context, x: Operand, axis: int, *, dtype: Any = None) -> Value:
    value, place = ctx.build.along(ctx.value(convert(ctx, x, dtype=dtype)), axis)
    return ctx.build.elementwise(ctx.name, AlongAxis("cumsum", place), value)


@rule("topk")
def _top(
    ctx: Context, x: Operand, count: int, axis: int = -1, largest: bool = True, sort: bool = True
) -> tuple[Value, Value]:
    return layers.top(ctx.build, ctx.name, ctx.value(x), count, axis, largest)


@rule("softmax", "_softmax")
def _softmax(ctx: Context, x: Operand, axis: int, dtype: Any = None) -> Value:
    value, place = ctx.build.along(ctx.value(_converted(ctx, x, dtype)), axis)
    return ctx.build.elementwise(ctx.name, Softmax(place), value)


@rule("log_softmax", "_log_softmax")
def _log_softmax(ctx: Context, x: Operand, axis: int, dtype: Any = None) -> Value:
    value, place = ctx.build.along(ctx.value(_converted(ctx, x, dtype)), axis)
    return ctx.build.elementwise(ctx.name, Softmax(place, logarithm=True), value)


def _converted(ctx: Context, x: Operand, dtype: Any) -> Operand:
    # `_softmax` has a flag there: whether half precision becomes single.
    return x if isinstance(dtype, bool) else convert(ctx, x, dtype=dtype)
