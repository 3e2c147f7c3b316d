"""Convolutions, normalisations, products, attention."""

from collections.abc import Sequence
from typing import Any

from depthjax.importing import layers
from depthjax.importing.nodes import Operand
from depthjax.importing.torch.registry import Context, Number, Sizes, each, rule
from depthjax.importing.values import Known, Value


@rule("conv1d", "conv2d", "conv3d")
def _conv(
    ctx: Context,
    x: Operand,
    kernel: Operand,
    bias: Known | None = None,
    strides: Sizes = 1,
    padding: Any = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Value:
    if isinstance(kernel, Value):
        raise ValueError("a convolution whose kernel depends on the images is not supported")
    value, axes = ctx.value(x), kernel.rank - 2
    dilations = each(dilation, axes)
    sides: Any = padding
    if padding == "valid":
        sides = [(0, 0)] * axes
    elif padding == "same":  # PyTorch puts the odd one behind
        reach = [(n - 1) * d for n, d in zip(kernel.shape[2:], dilations, strict=True)]
        sides = [(r // 2, r - r // 2) for r in reach]
    else:
        sides = [(n, n) for n in each(padding, axes)]
    made = layers.conv(
        *(ctx.build, _weights_name(ctx, kernel), _in_a_batch(ctx, value, axes), kernel, bias),
        strides=each(strides, axes),
        padding=sides,
        dilation=dilations,
        groups=groups,
    )
    return _like(ctx, made, value)


def _in_a_batch(ctx: Context, x: Value, axes: int) -> Value:
    """Channels of some axes as a batch of one, which they may come without."""
    return ctx.build.reshape(ctx.name, x, (1, *x.shape)) if x.rank == axes + 1 else x


def _like(ctx: Context, made: Value, x: Value) -> Value:
    """Without the batch that `x` came without."""
    alone = made.rank > x.rank
    return ctx.build.reshape(ctx.name, made, made.shape[1:]) if alone else made


def _weights_name(ctx: Context, kernel: Known) -> str:
    """The module's path; another name where the kernel is computed of the module's weights."""
    return f"{ctx.name}.computed" if kernel.weight is None else ctx.owner(kernel)


@rule("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def _conv_transpose(
    ctx: Context,
    x: Operand,
    kernel: Known,
    bias: Known | None = None,
    strides: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Value:
    axes, value = kernel.rank - 2, ctx.value(x)
    made = layers.conv_transpose(
        *(ctx.build, _weights_name(ctx, kernel), _in_a_batch(ctx, value, axes), kernel, bias),
        strides=each(strides, axes),
        padding=[(n, n) for n in each(padding, axes)],
        output_padding=each(output_padding, axes),
        dilation=each(dilation, axes),
        groups=groups,
    )
    return _like(ctx, made, value)


@rule("linear")
def _linear(ctx: Context, x: Operand, matrix: Operand, bias: Known | None = None) -> Value:
    if isinstance(matrix, Value):
        made = layers.matmul(ctx.build, ctx.name, x, ctx.build.transpose(matrix, (1, 0)))
        return made if bias is None else ctx.build.arithmetic(ctx.name, "add", made, bias)
    name = _weights_name(ctx, matrix)
    return layers.linear(ctx.build, name, ctx.value(x), matrix, bias)


@rule("addmm")
def _addmm(
    ctx: Context, bias: Operand, x: Operand, matrix: Operand, beta: Number = 1, alpha: Number = 1
) -> Value:
    if (
        isinstance(bias, Known)
        and isinstance(matrix, Known)
        and bias.shape == matrix.shape[1:]
        and beta == alpha == 1
    ):
        return layers.linear(ctx.build, ctx.name, ctx.value(x), matrix.array.T, bias.array)
    return _baddbmm(ctx, bias, x, matrix, beta, alpha)


@rule("matmul", "bmm", "mm")
def _matmul(ctx: Context, x: Operand, y: Operand) -> Value:
    return layers.matmul(ctx.build, ctx.name, x, y)


@rule("baddbmm")
def _baddbmm(
    ctx: Context, bias: Operand, x: Operand, y: Operand, beta: Number = 1, alpha: Number = 1
) -> Value:
    product: Any = layers.matmul(ctx.build, ctx.name, x, y)
    if alpha != 1:
        product = ctx.build.arithmetic(ctx.name, "multiply", product, alpha)
    scaled = bias if beta == 1 else ctx.build.arithmetic(ctx.name, "multiply", bias, beta)
    return ctx.build.arithmetic(ctx.name, "add", scaled, product)


@rule("einsum")
def _einsum(ctx: Context, equation: str, operands: Sequence[Operand], **path: Any) -> Value:
    return layers.einsum(ctx.build, ctx.name, equation, operands)


@rule("scaled_dot_product_attention")
def _attention(
    ctx: Context,
    q: Operand,
    k: Operand,
    v: Operand,
    mask: Operand | None = None,
    dropout: Number = 0.0,
    causal: bool = False,
    *,
    scale: Number | None = None,
    enable_gqa: bool = False,
) -> Value:
    if enable_gqa:
        raise ValueError("attention with groups of queries is not supported")
    if dropout:
        raise ValueError("attention with dropout is no function of the images")
    return layers.attention(ctx.build, ctx.name, q, k, v, mask, scale, causal)


@rule("batch_norm")
def _batch_norm(
    ctx: Context,
    x: Operand,
    scale: Known | None,
    bias: Known | None,
    mean: Known | None,
    variance: Known | None,
    training: bool,
    momentum: Number,
    epsilon: Number,
    cudnn: bool = False,
) -> Value:
    value = ctx.value(x)
    if training or mean is None or variance is None:
        if value.batched or value.shape[0] != 1:
            what = "in training mode" if mean is not None else "without running statistics"
            raise ValueError(f"BatchNorm {what} is no function of one image")
        groups = value.shape[1]  # of weights, which some modules standardise this way
        return layers.group_norm(ctx.build, ctx.name, value, groups, scale, bias, epsilon)
    name = ctx.owner(scale if scale is not None and scale.weight else mean)
    weights = mean, variance, scale, bias
    return layers.batch_norm(ctx.build, name, value, *weights, epsilon)


@rule("layer_norm")
def _layer_norm(
    ctx: Context,
    x: Operand,
    shape: Sequence[int],
    scale: Known | None = None,
    bias: Known | None = None,
    epsilon: Number = 1e-5,
    cudnn: bool = False,
) -> Value:
    axes, weights = len(shape), (scale, bias)
    return layers.layer_norm(ctx.build, ctx.owner(scale), ctx.value(x), axes, *weights, epsilon)


@rule("group_norm")
def _group_norm(
    ctx: Context,
    x: Operand,
    groups: int,
    scale: Known | None = None,
    bias: Known | None = None,
    epsilon: Number = 1e-5,
    cudnn: bool = False,
) -> Value:
    weights = scale, bias
    return layers.group_norm(ctx.build, ctx.owner(scale), ctx.value(x), groups, *weights, epsilon)


@rule("instance_norm")
def _instance_norm(
    ctx: Context,
    x: Operand,
    scale: Known | None,
    bias: Known | None,
    mean: Known | None,
    variance: Known | None,
    of_input: bool,
    momentum: Number,
    epsilon: Number,
    cudnn: bool = False,
) -> Value:
    if not of_input:
        given = mean, variance, False, momentum, epsilon
        return _batch_norm(ctx, x, scale, bias, *given)
    return _group_norm(ctx, x, x.shape[1], scale, bias, epsilon)


@rule("rms_norm")
def _rms_norm(
    ctx: Context,
    x: Operand,
    shape: Sequence[int],
    scale: Operand | None = None,
    epsilon: Number | None = None,
) -> Value:
    small = 1.1920929e-07 if epsilon is None else epsilon
    over = range(-len(shape), 0)
    return layers.rms_norm(ctx.build, ctx.name, ctx.value(x), over, scale, small)
