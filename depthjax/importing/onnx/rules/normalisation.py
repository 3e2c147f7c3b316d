"""Normalisations."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from depthjax.importing import layers
from depthjax.importing.nodes import Operand
from depthjax.importing.onnx.registry import Context, UnsupportedError, rule
from depthjax.importing.values import Known, Value


@rule("BatchNormalization")
def _batch_norm(
    ctx: Context,
    x: Operand,
    scale: Operand,
    bias: Operand,
    mean: Operand,
    variance: Operand,
    *,
    epsilon: float = 1e-5,
    training_mode: int = 0,
    spatial: int = 1,
    **_: Any,
) -> Value:
    if training_mode or ctx.outputs > 1:  # before opset 14 more outputs say it
        raise UnsupportedError("training mode")
    if not spatial:
        raise UnsupportedError("spatial=0")
    kept, spread = ctx.needed(mean, "a mean"), ctx.needed(variance, "a variance")
    gain, shift = ctx.weight(scale, "a scale"), ctx.weight(bias, "a bias")
    name = ctx.owner(gain, kept)
    return layers.batch_norm(ctx.build, name, ctx.value(x), kept, spread, gain, shift, epsilon)


@rule("LayerNormalization")
def _layer_norm(
    ctx: Context,
    x: Operand,
    scale: Operand,
    bias: Operand | None = None,
    *,
    axis: int = -1,
    epsilon: float = 1e-5,
    **_: Any,
) -> tuple[Value, ...]:
    build, value = ctx.build, ctx.value(x)
    first = axis % value.rank
    shape = value.shape[first:]
    gain = _filled(ctx.weight(scale, "a scale"), shape)
    shift = _filled(ctx.weight(bias, "a bias"), shape)
    name = ctx.owner(gain, shift)
    made = layers.layer_norm(build, name, value, len(shape), gain, shift, epsilon)
    if ctx.outputs == 1:
        return (made,)
    over = range(first, value.rank)
    mean = build.reduce(ctx.name, "mean", value, over, True)
    variance = build.reduce(ctx.name, "variance", value, over, True)
    shifted = build.arithmetic(ctx.name, "add", variance, epsilon)
    return made, mean, build.function(ctx.name, "rsqrt", shifted)


def _filled(weight: Known | None, shape: tuple[int, ...]) -> Known | None:
    """A weight of exactly the shape that is normalised."""
    if weight is None or weight.shape == shape:
        return weight
    return Known(np.broadcast_to(weight.array, shape))


@rule("RMSNormalization")
def _rms_norm(
    ctx: Context, x: Operand, scale: Operand, *, axis: int = -1, epsilon: float = 1e-5, **_: Any
) -> Value:
    value = ctx.value(x)
    over = range(axis % value.rank, value.rank)
    return layers.rms_norm(ctx.build, ctx.name, value, over, scale, epsilon)


@rule("GroupNormalization")
def _group_norm_of_groups(
    ctx: Context, x: Operand, scale: Operand, bias: Operand, *, num_groups: int, **settings: Any
) -> Value:
    """Before opset 21 there was one scale for each group."""
    times = x.shape[1] // num_groups
    wide = [
        Known(np.repeat(weight.array, times))
        for weight in (ctx.weight(scale, "a scale"), ctx.weight(bias, "a bias"))
        if weight is not None
    ]
    return _group_norm(ctx, x, *wide, num_groups=num_groups, **settings)


@rule("GroupNormalization", since=21)
def _group_norm(
    ctx: Context,
    x: Operand,
    scale: Operand,
    bias: Operand,
    *,
    num_groups: int,
    epsilon: float = 1e-5,
    **_: Any,
) -> Value:
    gain, shift = ctx.weight(scale, "a scale"), ctx.weight(bias, "a bias")
    name = ctx.owner(gain, shift)
    return layers.group_norm(ctx.build, name, ctx.value(x), num_groups, gain, shift, epsilon)


@rule("InstanceNormalization")
def _instance_norm(
    ctx: Context, x: Operand, scale: Operand, bias: Operand, *, epsilon: float = 1e-5, **_: Any
) -> Value:
    return _group_norm(ctx, x, scale, bias, num_groups=x.shape[1], epsilon=epsilon)


@rule("LpNormalization")
def _lp_norm(ctx: Context, x: Operand, *, axis: int = -1, p: int = 2) -> Value:
    """A line of zeros stays one."""
    build, value = ctx.build, ctx.value(x)
    length = build.reduce(ctx.name, f"l{p}", value, (axis,), True)
    zero = build.arithmetic(ctx.name, "equal", length, 0.0)
    whole = build.function(ctx.name, "cast", zero, value.dtype)
    return build.arithmetic(
        ctx.name, "divide", value, build.arithmetic(ctx.name, "add", length, whole)
    )


@rule("LRN")
def _local_response(
    ctx: Context,
    x: Operand,
    *,
    size: int,
    alpha: float = 1e-4,
    beta: float = 0.75,
    bias: float = 1.0,
) -> Value:
    build, value = ctx.build, ctx.value(x)
    channels = value.shape[1]
    away = np.arange(channels) - np.arange(channels)[:, None]
    band = (away >= -((size - 1) // 2)) & (away <= math.ceil((size - 1) / 2))
    square = build.function(ctx.name, "square", value)
    total = layers.resample(build, ctx.name, square, {1: band.astype(np.float64)})
    scaled = build.arithmetic(ctx.name, "multiply", total, alpha / size)
    shifted = build.arithmetic(ctx.name, "add", scaled, bias)
    divisor = build.arithmetic(ctx.name, "power", shifted, beta)
    return build.arithmetic(ctx.name, "divide", value, divisor)


@rule("MeanVarianceNormalization")
def _standardised(ctx: Context, x: Operand, *, axes: Sequence[int] = (0, 2, 3)) -> Value:
    build, value = ctx.build, ctx.value(x)
    mean = build.reduce(ctx.name, "mean", value, axes, True)
    variance = build.reduce(ctx.name, "variance", value, axes, True)
    centred = build.arithmetic(ctx.name, "subtract", value, mean)
    deviation = build.function(ctx.name, "sqrt", variance)
    return build.arithmetic(
        ctx.name, "divide", centred, build.arithmetic(ctx.name, "add", deviation, 1e-9)
    )
