"""Convolutions, poolings, normalisations, products, attention, resizing."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from depthjax.importing import layers
from depthjax.importing.building import Operand
from depthjax.importing.resizing import resize_matrix
from depthjax.importing.torch.registry import Context, Number, rule
from depthjax.importing.values import Known, Value
from depthjax.models.operations.average_pool import AveragePool
from depthjax.models.operations.max_pool import MaxPool
from depthjax.models.operations.reduction import Reduce

Sizes = int | Sequence[int]


def _each(value: Sizes, axes: int) -> tuple[int, ...]:
    """A setting for each axis."""
    if isinstance(value, int):
        return (value,) * axes
    return tuple(value) * axes if len(value) == 1 else tuple(value)


@rule("conv1d", "conv2d", "conv3d")
def _conv(
    ctx: Context,
    x: Operand,
    kernel: Known,
    bias: Known | None = None,
    strides: Sizes = 1,
    padding: Any = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Value:
    value, axes = ctx.value(x), kernel.rank - 2
    dilations = _each(dilation, axes)
    sides: Any = padding
    if padding == "valid":
        sides = [(0, 0)] * axes
    elif padding == "same":  # PyTorch puts the odd one behind
        reach = [(n - 1) * d for n, d in zip(kernel.shape[2:], dilations, strict=True)]
        sides = [(r // 2, r - r // 2) for r in reach]
    else:
        sides = [(n, n) for n in _each(padding, axes)]
    if value.rank == axes + 1:
        value = ctx.build.reshape(ctx.name, value, (1, *value.shape))
    return layers.conv(
        *(ctx.build, _weights_name(ctx, kernel), value, kernel, bias),
        strides=_each(strides, axes),
        padding=sides,
        dilation=dilations,
        groups=groups,
    )


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
    axes = kernel.rank - 2
    return layers.conv_transpose(
        *(ctx.build, ctx.owner(kernel), ctx.value(x), kernel, bias),
        strides=_each(strides, axes),
        padding=[(n, n) for n in _each(padding, axes)],
        output_padding=_each(output_padding, axes),
        dilation=_each(dilation, axes),
        groups=groups,
    )


@rule("linear")
def _linear(ctx: Context, x: Operand, matrix: Operand, bias: Known | None = None) -> Value:
    if isinstance(matrix, Value):
        made = layers.matmul(ctx.build, ctx.name, x, ctx.build.transpose(matrix, (1, 0)))
        return made if bias is None else ctx.build.arithmetic(ctx.name, "add", made, bias)
    name = _weights_name(ctx, matrix)
    return layers.linear(ctx.build, name, ctx.value(x), matrix, bias)


@rule("addmm")
def _addmm(ctx: Context, bias: Known, x: Operand, matrix: Known, **scales: Any) -> Value:
    if any(scale != 1 for scale in scales.values()):
        raise ValueError("addmm with scales is not supported")
    return layers.linear(ctx.build, ctx.name, ctx.value(x), matrix.array.T, bias.array)


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
            raise ValueError("BatchNorm in training mode is no function of one image")
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
    value = ctx.value(x)
    weights = scale, bias
    return layers.group_norm(ctx.build, ctx.owner(scale), value, value.shape[1], *weights, epsilon)


@rule("rms_norm")
def _rms_norm(
    ctx: Context,
    x: Operand,
    shape: Sequence[int],
    scale: Operand | None = None,
    epsilon: Number | None = None,
) -> Value:
    build, value = ctx.build, ctx.value(x)
    axes = tuple(range(-len(shape), 0))
    square = build.function(ctx.name, "square", value)
    mean = build.reduce(ctx.name, lambda places: Reduce("mean", places), square, axes, True)
    shifted = build.arithmetic(ctx.name, "add", mean, 1.1920929e-07 if epsilon is None else epsilon)
    made = build.arithmetic(ctx.name, "multiply", value, build.function(ctx.name, "rsqrt", shifted))
    return made if scale is None else build.arithmetic(ctx.name, "multiply", made, scale)


@rule("max_pool2d_with_indices")
def _max_pool_and_where(ctx: Context, *args: Any) -> tuple[Value, None]:
    return _max_pool(ctx, *args), None


@rule("max_pool1d", "max_pool2d")
def _max_pool(
    ctx: Context,
    x: Operand,
    window: Sizes,
    strides: Sizes = (),
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil: bool = False,
) -> Value:
    size = _each(window, 2)
    moves = _each(strides or window, 2), _sides(padding), _each(dilation, 2)
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
    if divisor:
        raise ValueError("average pooling with a divisor of its own is not supported")
    size = _each(window, 2)
    moves = _each(strides or window, 2), _sides(padding), (1, 1), ceil, count_padding
    return layers.pool(ctx.build, ctx.name, ctx.value(x), AveragePool(size, *moves))  # type: ignore[arg-type]


def _sides(padding: Sizes) -> tuple[tuple[int, int], ...]:
    return tuple((n, n) for n in _each(padding, 2))


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
    if _each(size, 1) != (1,):
        raise ValueError("adaptive_avg_pool1d to another size than 1 is not supported")
    return ctx.build.reduce(ctx.name, lambda axes: Reduce("mean", axes), value, (-1,), True)


@rule("adaptive_max_pool2d")
def _adaptive_max_pool(ctx: Context, x: Operand, size: Sizes) -> tuple[Value, None]:
    if _each(size, 2) != (1, 1):
        raise ValueError("adaptive_max_pool2d to another size than 1 is not supported")
    value = ctx.value(x)
    made = ctx.build.reduce(ctx.name, lambda axes: Reduce("max", axes), value, (-2, -1), True)
    return made, None


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


def _resize(
    ctx: Context, x: Operand, size: Any, kind: str, corners: bool, scales: Sequence[Any]
) -> Value:
    value = ctx.value(x)
    factors = scales[0] if len(scales) == 1 else scales or (None, None)
    factors = factors or (None, None)
    matrices: dict[int, np.ndarray] = {}
    for axis in (2, 3):
        length, factor = value.shape[axis], factors[axis - 2]
        outputs = int(length * (factor or 1)) if size is None else int(size[axis - 2])
        if outputs != length or kind == "cubic":
            scale = None if size is not None else factor
            matrices[axis] = resize_matrix(length, outputs, kind, corners, scale)
    return layers.resample(ctx.build, ctx.name, value, matrices)
