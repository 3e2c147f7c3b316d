"""Reductions, softmax, running sums."""

from collections.abc import Sequence

import numpy as np

from depthjax.importing.nodes import Operand
from depthjax.importing.onnx.registry import Context, Setting, rule
from depthjax.importing.values import Value
from depthjax.models.operations.softmax import Softmax

_REDUCTIONS = {
    **{"ReduceMean": "mean", "ReduceSum": "sum", "ReduceProd": "prod", "ReduceMax": "max"},
    **{"ReduceMin": "min", "ReduceL1": "l1", "ReduceL2": "l2", "ReduceLogSumExp": "logsumexp"},
    **{"ReduceLogSum": "sum", "ReduceSumSquare": "sum"},
}


def _register() -> None:
    for name, reduction in _REDUCTIONS.items():

        def reduce(
            ctx: Context,
            x: Operand,
            axes: Setting = None,
            *,
            keepdims: int = 1,
            noop_with_empty_axes: int = 0,
            name: str = name,
            reduction: str = reduction,
        ) -> Value:
            value = ctx.value(x)
            places = ctx.ints(axes, "axes") or ()
            if name == "ReduceSumSquare":
                value = ctx.build.function(ctx.name, "square", value)
            if places or not noop_with_empty_axes:
                value = _reduced(ctx, value, reduction, places, bool(keepdims))
            elif reduction in ("l1", "l2"):
                value = ctx.build.function(ctx.name, "abs", value)
            return ctx.build.function(ctx.name, "log", value) if name == "ReduceLogSum" else value

        rule(name)(reduce)


_register()


def _reduced(ctx: Context, x: Value, name: str, axes: Sequence[int], keep: bool) -> Value:
    if x.dtype == "bool" and name in ("max", "min"):
        name = "any" if name == "max" else "all"
    return ctx.build.reduce(ctx.name, name, x, axes, keep)


def _winner_rule(name: str) -> None:
    def winner(
        ctx: Context,
        x: Operand,
        *,
        axis: int = 0,
        keepdims: int = 1,
        select_last_index: int = 0,
    ) -> Value:
        value = ctx.value(x)
        build, length = ctx.build, value.shape[axis]
        if select_last_index:
            value = build.slice(ctx.name, value, axis, length - 1, -1, -1)
        found = build.reduce(ctx.name, name, value, (axis,), bool(keepdims), "int64")
        if select_last_index:
            found = build.arithmetic(ctx.name, "subtract", length - 1, found)
        return found

    rule({"argmax": "ArgMax", "argmin": "ArgMin"}[name])(winner)


_winner_rule("argmax")
_winner_rule("argmin")


def _softmax_rule(name: str, logarithm: bool) -> None:
    def softmax(ctx: Context, x: Operand, *, axis: int = -1) -> Value:
        value, place = ctx.build.along(ctx.value(x), axis)
        return ctx.build.elementwise(ctx.name, Softmax(place, logarithm), value)

    def softmax_of_matrix(ctx: Context, x: Operand, *, axis: int = 1) -> Value:
        """All axes from one on are one, as it was before opset 13."""
        value = ctx.value(x)
        first = axis % value.rank
        lengths = value.shape[first:]
        if max(lengths) == np.prod(lengths):
            return softmax(ctx, x, axis=first + int(np.argmax(lengths)))
        flat = ctx.build.reshape(ctx.name, value, (*value.shape[:first], int(np.prod(lengths))))
        return ctx.build.reshape(ctx.name, softmax(ctx, flat), value.shape)

    rule(name)(softmax_of_matrix)
    rule(name, since=13)(softmax)


_softmax_rule("Softmax", False)
_softmax_rule("LogSoftmax", True)
