"""Functions of each element, arithmetic, comparisons."""

from functools import reduce
from typing import Any

import jax
import numpy as np

from depthjax.importing import layers
from depthjax.importing.nodes import Operand
from depthjax.importing.onnx.registry import Context, Setting, UnsupportedError, rule
from depthjax.importing.values import Known, Value
from depthjax.models.operations.elementwise import Where
from depthjax.models.operations.gelu import GELU
from depthjax.models.operations.leaky_relu import LeakyReLU
from depthjax.models.operations.relu import relu, relu6

_FUNCTIONS = {
    **{"Abs": "abs", "Acos": "arccos", "Acosh": "arccosh", "Asin": "arcsin", "Asinh": "arcsinh"},
    **{"Atan": "arctan", "Atanh": "arctanh", "Ceil": "ceil", "Cos": "cos", "Cosh": "cosh"},
    **{"Erf": "erf", "Exp": "exp", "Floor": "floor", "HardSwish": "hard_swish", "IsNaN": "isnan"},
    **{"Log": "log", "Mish": "mish", "Neg": "negative", "Not": "logical_not"},
    **{"Reciprocal": "reciprocal", "Round": "rint", "Sigmoid": "sigmoid", "Sign": "sign"},
    **{"Sin": "sin", "Sinh": "sinh", "Softplus": "softplus", "Softsign": "softsign"},
    **{"Sqrt": "sqrt", "Tan": "tan", "Tanh": "tanh", "BitwiseNot": "bitwise_not"},
}
_ARITHMETIC = {
    **{"Add": "add", "Sub": "subtract", "Mul": "multiply"},
    **{"Equal": "equal", "Less": "less", "LessOrEqual": "less_equal", "Greater": "greater"},
    **{"GreaterOrEqual": "greater_equal", "And": "logical_and", "Or": "logical_or"},
    **{"Xor": "logical_xor", "BitwiseAnd": "bitwise_and", "BitwiseOr": "bitwise_or"},
    "BitwiseXor": "bitwise_xor",
}


def _register() -> None:
    for name, function in _FUNCTIONS.items():

        def of_one(ctx: Context, x: Operand, *, function: str = function, **_: Any) -> Value:
            return ctx.build.function(ctx.name, function, ctx.value(x))

        rule(name)(of_one)
    for name, function in _ARITHMETIC.items():

        def of_two(
            ctx: Context, x: Operand, y: Operand, *, function: str = function, **_: Any
        ) -> Value:
            return ctx.build.arithmetic(ctx.name, function, x, y)

        rule(name)(of_two)


_register()


def _dtype(operand: Operand) -> str:
    return operand.dtype if isinstance(operand, Value) else operand.array.dtype.name


def _is_whole(operand: Operand) -> bool:
    return np.dtype(_dtype(operand)).kind in "iu"


@rule("Div")
def _divide(ctx: Context, x: Operand, y: Operand, **_: Any) -> Value:
    name = "truncated_divide" if _is_whole(x) else "divide"
    return ctx.build.arithmetic(ctx.name, name, x, y)


@rule("Mod")
def _modulo(ctx: Context, x: Operand, y: Operand, *, fmod: int = 0) -> Value:
    return ctx.build.arithmetic(ctx.name, "fmod" if fmod else "remainder", x, y)


@rule("BitShift")
def _shift(ctx: Context, x: Operand, y: Operand, *, direction: str) -> Value:
    name = "left_shift" if direction == "LEFT" else "right_shift"
    return ctx.build.arithmetic(ctx.name, name, x, y)


_POWERS = {2: "square", 0.5: "sqrt", -1: "reciprocal", -0.5: "rsqrt"}


@rule("Pow")
def _power(ctx: Context, x: Operand, y: Operand, **_: Any) -> Value:
    if isinstance(y, Known) and y.array.size == 1 and y.rank <= x.rank and not _is_whole(x):
        exponent = y.array.item()
        if exponent in _POWERS:
            return ctx.build.function(ctx.name, _POWERS[exponent], ctx.value(x))
    made = ctx.build.arithmetic(ctx.name, "power", x, y)
    dtype = _dtype(x)
    return made if made.dtype == dtype else ctx.build.function(ctx.name, "cast", made, dtype)


@rule("Max")
def _maximum(ctx: Context, *operands: Operand, **_: Any) -> Operand:
    return reduce(lambda x, y: ctx.build.arithmetic(ctx.name, "maximum", x, y), operands)


@rule("Min")
def _minimum(ctx: Context, *operands: Operand, **_: Any) -> Operand:
    return reduce(lambda x, y: ctx.build.arithmetic(ctx.name, "minimum", x, y), operands)


@rule("Sum")
def _sum(ctx: Context, *operands: Operand, **_: Any) -> Operand:
    return reduce(lambda x, y: ctx.build.arithmetic(ctx.name, "add", x, y), operands)


@rule("Mean")
def _mean(ctx: Context, *operands: Operand, **_: Any) -> Value:
    return ctx.build.arithmetic(ctx.name, "divide", _sum(ctx, *operands), float(len(operands)))


@rule("Where")
def _where(ctx: Context, condition: Operand, x: Operand, y: Operand) -> Value:
    return ctx.build.broadcast(ctx.name, Where(), [condition, x, y], _dtype(x))


@rule("Relu")
def _relu(ctx: Context, x: Operand, **_: Any) -> Value:
    return ctx.build.elementwise(ctx.name, relu, ctx.value(x))


@rule("LeakyRelu")
def _leaky_relu(ctx: Context, x: Operand, *, alpha: float = 0.01, **_: Any) -> Value:
    return ctx.build.elementwise(ctx.name, LeakyReLU(alpha), ctx.value(x))


@rule("PRelu")
def _prelu(ctx: Context, x: Operand, slope: Operand, **_: Any) -> Value:
    return layers.prelu(ctx.build, ctx.name, ctx.value(x), slope)


@rule("Gelu")
def _gelu(ctx: Context, x: Operand, *, approximate: str = "none") -> Value:
    return ctx.build.elementwise(ctx.name, GELU(approximate == "tanh"), ctx.value(x))


@rule("Elu")
def _elu(ctx: Context, x: Operand, *, alpha: float = 1.0, **_: Any) -> Value:
    return ctx.build.function(ctx.name, "elu", ctx.value(x), alpha)


@rule("Celu")
def _celu(ctx: Context, x: Operand, *, alpha: float = 1.0) -> Value:
    return ctx.build.function(ctx.name, "celu", ctx.value(x), alpha)


@rule("Selu")
def _selu(
    ctx: Context,
    x: Operand,
    *,
    alpha: float = 1.67326319217681884765625,
    gamma: float = 1.05070102214813232421875,
    **_: Any,
) -> Value:
    elu = ctx.build.function(ctx.name, "elu", ctx.value(x), alpha)
    return ctx.build.arithmetic(ctx.name, "multiply", elu, gamma)


@rule("HardSigmoid")
def _hard_sigmoid(
    ctx: Context, x: Operand, *, alpha: float = 0.2, beta: float = 0.5, **_: Any
) -> Value:
    return ctx.build.function(ctx.name, "hard_sigmoid", ctx.value(x), alpha, beta)


@rule("ThresholdedRelu")
def _thresholded_relu(ctx: Context, x: Operand, *, alpha: float = 1.0) -> Value:
    return ctx.build.function(ctx.name, "threshold", ctx.value(x), alpha, 0.0)


@rule("Swish")
def _swish(ctx: Context, x: Operand, *, alpha: float = 1.0) -> Value:
    if alpha == 1:
        return ctx.build.function(ctx.name, "silu", ctx.value(x))
    scaled = ctx.build.arithmetic(ctx.name, "multiply", x, alpha)
    gate = ctx.build.function(ctx.name, "sigmoid", ctx.value(scaled))
    return ctx.build.arithmetic(ctx.name, "multiply", x, gate)


@rule("Clip")
def _clip(
    ctx: Context,
    x: Operand,
    low: Operand | None = None,
    high: Operand | None = None,
    **given: float,
) -> Operand:
    bounds = [given.get("min") if low is None else low, given.get("max") if high is None else high]
    numbers = [_number(bound) for bound in bounds]
    if not _is_whole(x) and not any(isinstance(bound, Value) for bound in bounds):
        ends = [-np.inf if numbers[0] is None else numbers[0]]
        ends += [np.inf if numbers[1] is None else numbers[1]]
        if ends == [0, 6]:  # PyTorch exports its ReLU6 as this
            return ctx.build.elementwise(ctx.name, relu6, ctx.value(x))
        return ctx.build.function(ctx.name, "clip", ctx.value(x), min(ends), ends[1])
    for bound, number, function in zip(bounds, numbers, ("maximum", "minimum"), strict=True):
        if bound is not None:
            x = ctx.build.arithmetic(ctx.name, function, x, bound if number is None else number)
    return x


def _number(bound: Any) -> Any:
    """A known bound as a number."""
    if isinstance(bound, Known):
        return bound.array.item()
    return None if isinstance(bound, Value) else bound


@rule("IsInf")
def _is_infinite(
    ctx: Context, x: Operand, *, detect_negative: int = 1, detect_positive: int = 1
) -> Value:
    value = ctx.value(x)
    if detect_negative and detect_positive:
        return ctx.build.function(ctx.name, "isinf", value)
    wanted = -np.inf if detect_negative else np.inf if detect_positive else np.nan  # equals nothing
    return ctx.build.arithmetic(ctx.name, "equal", value, wanted)


_HALF = ("float16", "bfloat16")
_FLOATS = (*_HALF, "float32", "float64")
_CASTS = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *_FLOATS,
)


@rule("Cast")
def _cast(ctx: Context, x: Operand, *, to: int, **_: Any) -> Value:
    from onnx import TensorProto, helper

    name = TensorProto.DataType.Name(to)
    wanted = np.dtype(helper.tensor_dtype_to_np_dtype(to)).name
    if wanted not in _CASTS or name == "STRING":
        raise UnsupportedError(f"type {name}")
    return _as_type(ctx, ctx.value(x), wanted)


@rule("CastLike")
def _cast_like(ctx: Context, x: Operand, like: Operand, **_: Any) -> Operand:
    wanted = _dtype(like)
    if wanted not in _CASTS:
        raise UnsupportedError(f"type {wanted}")
    if isinstance(x, Known):
        return Known(x.array.astype("float32" if wanted in _HALF else wanted))
    return _as_type(ctx, x, wanted)


def _as_type(ctx: Context, value: Value, wanted: str) -> Value:
    if wanted == value.dtype or (wanted in _FLOATS and value.dtype in _FLOATS):
        return value  # all is computed in one precision
    ours = jax.dtypes.canonicalize_dtype("float32" if wanted in _HALF else wanted)
    return ctx.build.function(ctx.name, "cast", value, ours.name)


@rule("Identity")
def _identity(ctx: Context, x: Operand) -> Operand:
    return x


@rule("Dropout")
def _dropout(
    ctx: Context,
    x: Operand,
    ratio: Setting = None,
    training: Operand | None = None,
    **_: Any,
) -> tuple[Operand, ...]:
    mode = ctx.array(training, "the training mode")
    chance = ctx.array(ratio, "a ratio")
    if mode is not None and mode.any() and (chance is None or chance.item() != 0):
        raise UnsupportedError("training mode")
    kept = Known(np.ones(x.shape, bool))
    return (x, kept)[: ctx.outputs]


@rule("Shrink")
def _shrink(ctx: Context, x: Operand, *, bias: float = 0.0, lambd: float = 0.5) -> Value:
    build, value = ctx.build, ctx.value(x)
    magnitude = build.function(ctx.name, "abs", value)
    shift = build.arithmetic(ctx.name, "multiply", build.function(ctx.name, "sign", value), bias)
    far = build.arithmetic(ctx.name, "greater", magnitude, lambd)
    shrunk = build.arithmetic(ctx.name, "subtract", value, shift)
    nothing = Known(np.zeros((), value.dtype))
    return build.broadcast(ctx.name, Where(), [far, shrunk, nothing], value.dtype)
