"""Functions of each element, and arithmetic."""

from typing import Any

import numpy as np

from depthjax.importing import layers
from depthjax.importing.nodes import Operand
from depthjax.importing.torch.registry import RULES, Context, Number, rule
from depthjax.importing.values import Known, Value
from depthjax.models.operations.elementwise import Where
from depthjax.models.operations.gelu import GELU
from depthjax.models.operations.leaky_relu import LeakyReLU
from depthjax.models.operations.relu import relu, relu6

_FUNCTIONS = {
    **{
        name: name
        for name in (
            *("abs", "ceil", "cos", "cosh", "erf", "exp", "exp2", "expm1", "floor", "isfinite"),
            *("isinf", "isnan", "log", "log10", "log1p", "log2", "logical_not", "mish"),
            *("reciprocal", "rsqrt", "sigmoid", "sign", "silu", "sin", "sinh", "sqrt", "square"),
            *("tan", "tanh", "log_sigmoid", "selu"),
        )
    },
    **{"neg": "negative", "acos": "arccos", "asin": "arcsin", "atan": "arctan"},
    **{"hardswish": "hard_swish", "hardsigmoid": "hard_sigmoid", "detach": "stop_gradient"},
}

_ARITHMETIC = {
    **{"mul": "multiply", "maximum": "maximum", "minimum": "minimum", "remainder": "remainder"},
    **{"eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater"},
    **{"ge": "greater_equal", "logical_and": "logical_and", "logical_or": "logical_or"},
    **{"logical_xor": "logical_xor", "fmod": "fmod", "atan2": "arctan2"},
    **{"bitwise_and": "bitwise_and", "bitwise_or": "bitwise_or", "bitwise_xor": "bitwise_xor"},
    **{"__and__": "bitwise_and", "__or__": "bitwise_or", "__xor__": "bitwise_xor"},
    **{"floor_divide": "floor_divide"},
}


def _register_functions() -> None:
    for torch_name, ours in _FUNCTIONS.items():

        def function(ctx: Context, x: Operand, *, ours: str = ours) -> Value:
            return ctx.build.function(ctx.name, ours, ctx.value(x))

        RULES[torch_name] = function
    for torch_name, ours in _ARITHMETIC.items():

        def arithmetic(ctx: Context, x: Any, y: Any, *, ours: str = ours) -> Value:
            return ctx.build.arithmetic(ctx.name, ours, x, y)

        RULES[torch_name] = arithmetic


_register_functions()


@rule("add")
def _add(ctx: Context, x: Any, y: Any, alpha: Number = 1) -> Value:
    return ctx.build.arithmetic(ctx.name, "add", x, _scaled(ctx, y, alpha))


@rule("sub")
def _subtract(ctx: Context, x: Any, y: Any, alpha: Number = 1) -> Value:
    return ctx.build.arithmetic(ctx.name, "subtract", x, _scaled(ctx, y, alpha))


@rule("rsub")
def _subtract_from(ctx: Context, x: Any, y: Any, alpha: Number = 1) -> Value:
    return ctx.build.arithmetic(ctx.name, "subtract", y, _scaled(ctx, x, alpha))


def _scaled(ctx: Context, x: Any, alpha: Number) -> Any:
    if alpha == 1:
        return x
    if isinstance(x, Value | Known):
        return ctx.build.arithmetic(ctx.name, "multiply", x, alpha)
    return x * alpha


@rule("lerp")
def _interpolate(ctx: Context, x: Any, y: Any, weight: Any) -> Value:
    way = ctx.build.arithmetic(ctx.name, "subtract", y, x)
    return _add(ctx, x, ctx.build.arithmetic(ctx.name, "multiply", way, weight))


@rule("addcmul")
def _add_product(ctx: Context, x: Any, y: Any, z: Any, value: Number = 1) -> Value:
    return _add(ctx, x, ctx.build.arithmetic(ctx.name, "multiply", y, z), value)


@rule("addcdiv")
def _add_quotient(ctx: Context, x: Any, y: Any, z: Any, value: Number = 1) -> Value:
    return _add(ctx, x, ctx.build.arithmetic(ctx.name, "divide", y, z), value)


@rule("div", "true_divide")
def _divide(ctx: Context, x: Any, y: Any, rounding_mode: str | None = None) -> Value:
    if rounding_mode == "floor":
        return ctx.build.arithmetic(ctx.name, "floor_divide", x, y)
    made = ctx.build.arithmetic(ctx.name, "divide", x, y)
    return _truncate(ctx, made) if rounding_mode == "trunc" else made


@rule("trunc", "fix")
def _truncate(ctx: Context, x: Operand) -> Value:
    value = ctx.value(x)
    whole = ctx.build.function(ctx.name, "floor", ctx.build.function(ctx.name, "abs", value))
    sign = ctx.build.function(ctx.name, "sign", value)
    return ctx.build.arithmetic(ctx.name, "multiply", sign, whole)


@rule("pow")
def _power(ctx: Context, x: Any, y: Any) -> Value:
    exponent = y.array.item() if isinstance(y, Known) and y.array.ndim == 0 else y
    if isinstance(x, Value | Known) and exponent in (2, 0.5, -0.5, -1, 1):
        name = {2: "square", 0.5: "sqrt", -0.5: "rsqrt", -1: "reciprocal"}.get(exponent)
        value = ctx.value(x)
        return ctx.build.function(ctx.name, name, value) if name else value
    return ctx.build.arithmetic(ctx.name, "power", x, exponent)


@rule("round")
def _round(ctx: Context, x: Operand, *, decimals: int = 0) -> Value:
    if not decimals:
        return ctx.build.function(ctx.name, "rint", ctx.value(x))
    up, down = ("multiply", "divide") if decimals > 0 else ("divide", "multiply")
    tens = 10.0 ** abs(decimals)
    scaled = ctx.build.arithmetic(ctx.name, up, x, tens)
    return ctx.build.arithmetic(ctx.name, down, ctx.build.function(ctx.name, "rint", scaled), tens)


@rule("relu")
def _relu(ctx: Context, x: Operand) -> Value:
    return ctx.build.elementwise(ctx.name, relu, ctx.value(x))


@rule("relu6")
def _relu6(ctx: Context, x: Operand) -> Value:
    return ctx.build.elementwise(ctx.name, relu6, ctx.value(x))


@rule("hardtanh")
def _hard_tanh(ctx: Context, x: Operand, low: Number = -1.0, high: Number = 1.0) -> Value:
    if (low, high) == (0, 6):
        return _relu6(ctx, x)
    return ctx.build.function(ctx.name, "hard_tanh", ctx.value(x), float(low), float(high))


@rule("leaky_relu")
def _leaky_relu(ctx: Context, x: Operand, slope: Number = 0.01) -> Value:
    return ctx.build.elementwise(ctx.name, LeakyReLU(float(slope)), ctx.value(x))


@rule("gelu")
def _gelu(ctx: Context, x: Operand, approximate: str = "none") -> Value:
    return ctx.build.elementwise(ctx.name, GELU(approximate == "tanh"), ctx.value(x))


@rule("elu")
def _elu(
    ctx: Context, x: Operand, alpha: Number = 1.0, scale: Number = 1.0, input_scale: Number = 1.0
) -> Value:
    if scale != 1 or input_scale != 1:
        raise ValueError("elu with scales is not supported")
    return ctx.build.function(ctx.name, "elu", ctx.value(x), float(alpha))


@rule("celu")
def _celu(ctx: Context, x: Operand, alpha: Number = 1.0) -> Value:
    return ctx.build.function(ctx.name, "celu", ctx.value(x), float(alpha))


@rule("threshold")
def _threshold(ctx: Context, x: Operand, threshold: Number, value: Number) -> Value:
    return ctx.build.function(ctx.name, "threshold", ctx.value(x), float(threshold), float(value))


@rule("softshrink")
def _soft_shrink(ctx: Context, x: Operand, threshold: Number = 0.5) -> Value:
    value, size = ctx.value(x), float(threshold)
    near = ctx.build.function(ctx.name, "clip", value, -size, size)
    return ctx.build.arithmetic(ctx.name, "subtract", value, near)


@rule("hardshrink")
def _hard_shrink(ctx: Context, x: Operand, threshold: Number = 0.5) -> Value:
    value = ctx.value(x)
    size = ctx.build.function(ctx.name, "abs", value)
    near = ctx.build.arithmetic(ctx.name, "less_equal", size, float(threshold))
    return _where(ctx, near, np.zeros(()), value)


@rule("glu")
def _glu(ctx: Context, x: Operand, axis: int = -1) -> Value:
    value = ctx.value(x)
    length = value.shape[axis]
    first = ctx.build.slice(ctx.name, value, axis, 0, length // 2)
    second = ctx.build.slice(ctx.name, value, axis, length // 2, length)
    gate = ctx.build.function(ctx.name, "sigmoid", second)
    return ctx.build.arithmetic(ctx.name, "multiply", first, gate)


@rule("softplus")
def _softplus(ctx: Context, x: Operand, beta: Number = 1.0, threshold: Number = 20.0) -> Value:
    if threshold < 20:  # above 20 nothing but rounding differs from the identity
        raise ValueError(f"softplus with a threshold of {threshold:g} is not supported")
    return ctx.build.function(ctx.name, "softplus", ctx.value(x), float(beta))


@rule("clamp", "clip")
def _clip(ctx: Context, x: Operand, low: Any = None, high: Any = None) -> Value:
    bounds = (-np.inf if low is None else low), (np.inf if high is None else high)
    if any(isinstance(bound, Value | Known) for bound in bounds):
        above = ctx.build.arithmetic(ctx.name, "maximum", x, bounds[0])
        return ctx.build.arithmetic(ctx.name, "minimum", above, bounds[1])
    if bounds == (0, 6):
        return _relu6(ctx, x)
    least = min(bounds)  # where they are the wrong way round, all is the upper one
    return ctx.build.function(ctx.name, "clip", ctx.value(x), float(least), float(bounds[1]))


@rule("clamp_min")
def _clip_below(ctx: Context, x: Operand, low: Any) -> Value:
    return _clip(ctx, x, low)


@rule("clamp_max")
def _clip_above(ctx: Context, x: Operand, high: Any) -> Value:
    return _clip(ctx, x, None, high)


@rule("prelu")
def _prelu(ctx: Context, x: Operand, slope: Operand) -> Value:
    value, each = ctx.value(x), ctx.value(slope)
    if each.shape != (1,):
        each = ctx.build.reshape(ctx.name, each, (each.shape[0], *(1,) * (value.rank - 2)))
    return layers.prelu(ctx.build, ctx.name, value, each)


@rule("where")
def _where(ctx: Context, condition: Operand, x: Any, y: Any) -> Value:
    operands = [
        z if isinstance(z, Value | Known) else Known(np.asarray(z, np.float32)) for z in (x, y)
    ]
    return ctx.build.broadcast(ctx.name, Where(), [condition, *operands])


@rule("masked_fill")
def _masked_fill(ctx: Context, x: Operand, mask: Operand, value: Any) -> Value:
    return _where(ctx, mask, value.array if isinstance(value, Known) else value, x)


@rule("alias", "clone", "contiguous", "lift_fresh_copy")
def _same(ctx: Context, x: Operand, *, memory_format: Any = None) -> Operand:
    return x


@rule("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout")
def _dropout(ctx: Context, x: Operand, rate: Number, training: bool) -> Operand:
    if training and rate:
        raise ValueError("dropout that is always on is no function of the images")
    return x


@rule("type_as")
def _type_as(ctx: Context, x: Operand, other: Operand) -> Operand:
    return convert(ctx, x, other)


def _dtype(operand: Operand) -> str:
    return operand.dtype if isinstance(operand, Value) else str(operand.array.dtype)


@rule("to", "_to_copy")
def convert(ctx: Context, x: Operand, *args: Any, dtype: Any = None, **kwargs: Any) -> Operand:
    """A tensor of another type; `args` and `kwargs` may name devices and layouts, too."""
    asked = [a for a in (*args, dtype) if str(a).startswith("torch.") and "strided" not in str(a)]
    wanted = str(asked[0]).removeprefix("torch.") if asked else None
    wanted = next((_dtype(a) for a in args if isinstance(a, Value | Known)), wanted)
    value = ctx.value(x)
    floats = ("float16", "bfloat16", "float32", "float64")
    if wanted is None or wanted == value.dtype or (wanted in floats and value.dtype in floats):
        return value  # all is computed in one precision
    return ctx.build.function(ctx.name, "cast", value, wanted)
