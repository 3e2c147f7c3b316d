"""Products of matrices."""

from typing import Any

from depthjax.importing import layers
from depthjax.importing.nodes import Operand
from depthjax.importing.onnx.registry import Context, rule
from depthjax.importing.values import Known, Value


@rule("MatMul")
def _matmul(ctx: Context, x: Operand, y: Operand) -> Value:
    if isinstance(y, Known) and y.rank == 2 and x.rank > 1:
        return layers.linear(ctx.build, ctx.path, ctx.value(x), y.array.T)
    return layers.matmul(ctx.build, ctx.name, x, y)


@rule("Gemm")
def _gemm(
    ctx: Context,
    x: Operand,
    y: Operand,
    z: Operand | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,
    transB: int = 0,
    **_: Any,
) -> Value:
    build = ctx.build
    first = build.transpose(ctx.value(x), (1, 0)) if transA else ctx.value(x)
    if alpha == beta == 1 and not transA and isinstance(y, Known):
        bias = _bias(z, y.shape[0 if transB else 1])
        if bias is not None or z is None:
            matrix = y if transB else y.array.T
            return layers.linear(build, ctx.owner(y, bias), first, matrix, bias)
    second = build.transpose(ctx.value(y), (1, 0)) if transB else y
    made = layers.matmul(build, ctx.name, first, second)
    if alpha != 1:
        made = build.arithmetic(ctx.name, "multiply", made, alpha)
    if z is None:
        return made
    shift = z if beta == 1 else build.arithmetic(ctx.name, "multiply", ctx.value(z), beta)
    return build.arithmetic(ctx.name, "add", made, shift)


def _bias(operand: Operand | None, features: int) -> Known | None:
    """What is added, if it is one known number for each feature."""
    if not isinstance(operand, Known) or operand.shape not in ((features,), (1, features)):
        return None
    return operand if operand.rank == 1 else Known(operand.array.ravel())


@rule("Einsum")
def _einsum(ctx: Context, *operands: Operand, equation: str) -> Value:
    return layers.einsum(ctx.build, ctx.name, equation, operands)
