"""The layers that sources have in common, as nodes: convolutions, poolings, norms, products.

Tensors are as in the source: channels second, kernels `[outputs, inputs / groups, *sizes]`,
matrices of linear layers `[outputs, inputs]`.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import flax.linen as nn
import jax
import numpy as np

from depthjax.importing.building import Builder
from depthjax.importing.nodes import Leaves, Operand
from depthjax.importing.values import Known, Order, Value, channels_last
from depthjax.models.operations.along_axis import AlongAxis
from depthjax.models.operations.attention import Attention
from depthjax.models.operations.average_pool import AdaptiveAveragePool, AveragePool
from depthjax.models.operations.batch_norm import BatchNorm
from depthjax.models.operations.conv_transpose import TransposedConv
from depthjax.models.operations.description import describe
from depthjax.models.operations.elementwise import Where
from depthjax.models.operations.group_norm import GroupNorm
from depthjax.models.operations.matmul import Einsum, MatMul
from depthjax.models.operations.max_pool import MaxPool
from depthjax.models.operations.parameter import constant
from depthjax.models.operations.resampling import Resample

Weight = np.ndarray | Known
"""A weight of a layer; only a `Known` has a name in the source's state dict."""

Padding = str | Sequence[tuple[int, int]]
"""(before, after) for each size, or "SAME", "SAME_LOWER", "VALID"."""


def conv(
    build: Builder,
    name: str,
    x: Value,
    kernel: Weight,
    bias: Weight | None = None,
    *,
    strides: Sequence[int],
    padding: Padding,
    dilation: Sequence[int],
    groups: int = 1,
    input_dilation: Sequence[int] | None = None,
    kind: type[nn.Conv] = nn.Conv,
) -> Value:
    """A convolution over one axis, two or more.

    Args:
        build, name, x: the graph so far, a name for the node, and its input.
        kernel: `[outputs, inputs / groups, *sizes]`; of a `kind` of convolution with another layout
            in state dicts still this one.
        bias, strides, padding, dilation, groups: as in PyTorch.
        input_dilation: distances that zeros between the pixels make.
        kind: of convolution.
    """
    kernel = _known(kernel)
    sizes = kernel.shape[2:]
    expected = kernel.shape[1] * groups
    if x.rank != kernel.rank or x.shape[1] != expected:
        raise ValueError(f"{name} takes {expected} channels of {len(sizes)} axes, got {[*x.shape]}")
    x = build.channels_last(x)
    module = kind(
        kernel.shape[0],
        tuple(sizes),
        strides=tuple(strides),
        padding=padding if isinstance(padding, str) else tuple((a, b) for a, b in padding),
        kernel_dilation=tuple(dilation),
        input_dilation=tuple(input_dilation or (1,) * len(sizes)),
        feature_group_count=groups,
        use_bias=bias is not None,
        parent=None,
    )
    ours = replace(kernel, array=np.moveaxis(kernel.array, (0, 1), (-1, -2)))
    lengths = [
        _outputs(x.shape[2 + i], sizes[i], strides[i], padding, dilation[i], input_dilation, i)
        for i in range(len(sizes))
    ]
    shape = (x.shape[0], kernel.shape[0], *lengths)
    return build.module(name, module, x, {"params": _given(kernel=ours, bias=bias)}, shape)


def _outputs(
    length: int,
    size: int,
    stride: int,
    padding: Padding,
    dilation: int,
    input_dilation: Sequence[int] | None,
    axis: int,
) -> int:
    if input_dilation:
        length = (length - 1) * input_dilation[axis] + 1
    if padding in ("SAME", "SAME_LOWER"):
        return -(-length // stride)
    before, after = (0, 0) if isinstance(padding, str) else padding[axis]
    return (length + before + after - (size - 1) * dilation - 1) // stride + 1


def conv_transpose(
    build: Builder,
    name: str,
    x: Value,
    kernel: Weight,
    bias: Weight | None = None,
    *,
    strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    output_padding: Sequence[int],
    dilation: Sequence[int],
    groups: int = 1,
) -> Value:
    """A transposed convolution with a kernel `[inputs, outputs / groups, *sizes]`.

    It is a convolution of the image with zeros between its pixels, by the flipped kernel.
    """
    kernel = _known(kernel)
    sizes = kernel.shape[2:]
    features = kernel.shape[1] * groups
    settings = TransposedConv(features, sizes, feature_group_count=groups, parent=None)
    ours = describe(settings).from_torch(("kernel",), kernel.array)
    turned = replace(kernel, array=np.moveaxis(ours, (-1, -2), (0, 1)))
    sides = []
    for i, size in enumerate(sizes):
        reach = (size - 1) * dilation[i]
        sides.append((reach - padding[i][0], reach - padding[i][1] + output_padding[i]))
    return conv(
        *(build, name, x, turned, bias),
        strides=(1,) * len(sizes),
        padding=sides,
        dilation=dilation,
        groups=groups,
        input_dilation=strides,
        kind=TransposedConv,
    )


def linear(
    build: Builder, name: str, x: Value, matrix: Weight, bias: Weight | None = None
) -> Value:
    """`x · matrixᵀ + bias` over the last axis."""
    given = x
    x = build.with_last(x, x.rank - 1)
    module = nn.Dense(matrix.shape[0], use_bias=bias is not None, parent=None)
    matrix = _known(matrix)
    kernel = replace(matrix, array=matrix.array.T)
    leaves: Leaves = {"params": _given(kernel=kernel, bias=bias)}
    made = build.module(name, module, x, leaves, (*x.shape[:-1], matrix.shape[0]))
    return _like_an_image(build, made, given)


def batch_norm(
    build: Builder,
    name: str,
    x: Value,
    mean: Weight,
    variance: Weight,
    scale: Weight | None,
    bias: Weight | None,
    epsilon: float | int,
) -> Value:
    """BatchNorm with running statistics over axis 1."""
    x = build.with_last(x, 1)
    module = BatchNorm(
        momentum=0.9,
        epsilon=epsilon,
        use_fast_variance=False,
        use_scale=scale is not None,
        use_bias=bias is not None,
        parent=None,
    )
    leaves: Leaves = {"batch_stats": _given(mean=mean, var=variance)}
    if given := _given(scale=scale, bias=bias):
        leaves["params"] = given
    return build.module(name, module, x, leaves, x.shape)


def layer_norm(
    build: Builder,
    name: str,
    x: Value,
    axes: int,
    scale: Weight | None,
    bias: Weight | None,
    epsilon: float | int,
) -> Value:
    """Normalisation over the last `axes` axes; scale and bias have their shape."""
    over, image = tuple(range(x.rank - axes, x.rank)), x
    x = build.ordered(x, (*(a for a in x.order if a not in over), *over))
    places = tuple(range(-axes, 0))
    module = nn.LayerNorm(
        epsilon=epsilon,
        use_fast_variance=False,
        use_scale=scale is not None,
        use_bias=bias is not None,
        reduction_axes=places if axes > 1 else -1,
        feature_axes=places if axes > 1 else -1,
        parent=None,
    )
    given = _given(scale=scale, bias=bias)
    made = build.module(name, module, x, {"params": given} if given else {}, x.shape)
    return _like_an_image(build, made, image)


def rms_norm(
    build: Builder,
    name: str,
    x: Value,
    axes: Sequence[int],
    scale: Operand | None,
    epsilon: float | int,
) -> Value:
    """`x / √(mean x² + ε) · scale`, with the mean over some axes."""
    mean = build.reduce(name, "mean", build.function(name, "square", x), axes, True)
    shifted = build.arithmetic(name, "add", mean, epsilon)
    made = build.arithmetic(name, "multiply", x, build.function(name, "rsqrt", shifted))
    return made if scale is None else build.arithmetic(name, "multiply", made, scale)


def prelu(build: Builder, name: str, x: Value, slope: Operand) -> Value:
    """Negative numbers times a slope, which is broadcast to `x`."""
    negative = build.arithmetic(name, "multiply", x, slope)
    positive = build.arithmetic(name, "greater", x, 0.0)
    return build.broadcast(name, Where(), [positive, x, negative], x.dtype)


def top(
    build: Builder, name: str, x: Value, count: int, axis: int, largest: bool
) -> tuple[Value, Value]:
    """The largest (or smallest) numbers along an axis, in order, and their places."""
    x, place = build.along(x, axis)
    shape = tuple(count if a == axis % x.rank else n for a, n in enumerate(x.shape))
    values, places = (
        build.add(name, AlongAxis(kind, place, (count, largest)), [x], shape, x.order, dtype)
        for kind, dtype in (("top_values", x.dtype), ("top_indices", "int64"))
    )
    return values, places


def group_norm(
    build: Builder,
    name: str,
    x: Value,
    groups: int,
    scale: Weight | None,
    bias: Weight | None,
    epsilon: float | int,
) -> Value:
    """Normalisation over groups of the channels (axis 1) and all positions."""
    if (images := x.shape[0]) != 1:  # in one, such as windows: each has groups of its own
        flat = build.reshape(f"{name}.flat", x, (1, images * x.shape[1], *x.shape[2:]))
        wide = [None if w is None else np.tile(_known(w).array, images) for w in (scale, bias)]
        made = group_norm(build, name, flat, images * groups, wide[0], wide[1], epsilon)
        return build.reshape(f"{name}.flat", made, x.shape)
    x = build.channels_last(x)
    channels = x.shape[1]
    affine = scale is not None or bias is not None
    params = _given(
        scale=np.ones(channels, np.float32) if scale is None else scale,
        bias=np.zeros(channels, np.float32) if bias is None else bias,
    )
    module = GroupNorm(groups, epsilon, affine, parent=None)
    return build.module(name, module, x, {"params": params} if affine else {}, x.shape)


def pool(build: Builder, name: str, x: Value, operation: MaxPool | AveragePool) -> Value:
    """A pooling over the last two axes; all others before the channels are more images."""
    lead = x.shape[:-2]
    if x.rank != 4 or x.shape[0] != 1:
        x = build.reshape(f"{name}.flat", x, (1, math.prod(lead), *x.shape[-2:]))
    x = build.channels_last(x)
    spec = _pooled_shape(operation, (1, *x.stored))
    made = build.add(name, operation, [x], (1, x.shape[1], *spec[1:3]), x.order, x.dtype)
    return build.reshape(f"{name}.flat", made, (*lead, *made.shape[2:]))


def adaptive_average_pool(build: Builder, name: str, x: Value, size: tuple[int, int]) -> Value:
    """The mean over cells of the last two axes."""
    if size == (1, 1):
        return build.reduce(name, "mean", x, (-2, -1), True)
    lead = x.shape[:-3]
    flat = x if x.rank == 4 else build.reshape(name, x, (1, *x.shape[-3:]))
    flat = build.channels_last(flat)
    shape = (*flat.shape[:2], *size)
    made = build.add(name, AdaptiveAveragePool(size), [flat], shape, flat.order, flat.dtype)
    return made if x.rank == 4 else build.reshape(name, made, (*lead, x.shape[-3], *size))


def matmul(build: Builder, name: str, x: Operand, y: Operand) -> Value:
    """NumPy's `matmul`: matrices in the last two axes, the others broadcast."""
    if isinstance(y, Known) and y.rank == 2 and not y.weight and not y.lower and x.rank > 1:
        return linear(build, name, build.value(x, name), y.array.T)
    first, second = build.value(x, f"{name}.constant"), build.value(y, f"{name}.constant")
    if second.rank == 1:
        wide = build.reshape(f"{name}.column", second, (*second.shape, 1))
        made = matmul(build, name, first, wide)
        return build.reshape(f"{name}.column", made, made.shape[:-1])
    if first.rank == 1:
        wide = build.reshape(f"{name}.row", first, (1, *first.shape))
        made = matmul(build, name, wide, second)
        return build.reshape(f"{name}.row", made, (*made.shape[:-2], made.shape[-1]))
    rank = max(first.rank, second.rank)
    pair, order = _stacked(build, (first, second), rank)
    lead = np.broadcast_shapes(pair[0].shape[:-2], pair[1].shape[:-2])
    shape = (*lead, pair[0].shape[-2], pair[1].shape[-1])
    return _without_batch(build, build.add(name, MatMul(), pair, shape, order))


def einsum(build: Builder, name: str, equation: str, operands: Sequence[Operand]) -> Value:
    """Einstein's sum, written for the source's axes."""
    equation = _spelled_out(equation, operands)
    left, arrow, output = equation.partition("->")
    terms = left.split(",")
    if not arrow:
        letters = sorted(set(left) - {","})
        output = "".join(letter for letter in letters if left.count(letter) == 1)
    batch = next(chr(c) for c in range(ord("A"), ord("Z") + 1) if chr(c) not in equation)
    given = [build.value(operand, f"{name}.constant") for operand in operands]
    values: list[Value] = []
    stored: list[str] = []
    sizes: dict[str, int] = {}
    for term, operand in zip(terms, given, strict=True):
        value = build.in_source_order(operand, whole=True)
        sizes.update(zip(term, value.shape, strict=True))
        values.append(value)
        stored.append(batch + term if value.batched else term)
    batched = any(value.batched for value in values)
    operation = Einsum(f"{','.join(stored)}->{batch if batched else ''}{output}")
    shape = tuple(sizes[letter] for letter in output)
    made = build.add(name, operation, values, shape, tuple(range(len(shape))))
    kept = [v for v, term in zip(given, terms, strict=True) if term[2:] == output[2:]]
    return _like_an_image(build, _without_batch(build, made), *kept)


def _spelled_out(equation: str, operands: Sequence[Operand]) -> str:
    """With letters for each axis that an ellipsis stands for, and an arrow if it has one."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if "..." not in equation:
        return f"{left}{arrow}{right}"
    free = [chr(c) for c in range(ord("A"), ord("Z") + 1) if chr(c) not in equation]
    most = max(x.rank - len(t) + 3 for t, x in zip(terms, operands, strict=True) if "..." in t)
    letters = "".join(free[:most])
    filled = []
    for term, operand in zip(terms, operands, strict=True):
        count = operand.rank - len(term) + 3
        filled.append(term.replace("...", letters[most - count :] if count else ""))
    if not arrow:
        once = sorted({c for c in left if c.isalpha() and left.count(c) == 1})
        right = f"...{''.join(once)}"
    return f"{','.join(filled)}->{right.replace('...', letters)}"


def attention(
    build: Builder,
    name: str,
    q: Operand,
    k: Operand,
    v: Operand,
    mask: Operand | None,
    scale: float | int | None,
    causal: bool = False,
) -> Value:
    """Scaled dot-product attention over the last two axes."""
    given = [build.value(z, f"{name}.constant") for z in (q, k, v)]
    if mask is not None:
        given.append(build.value(mask, f"{name}.mask"))
    rank = max(z.rank for z in given)
    inputs, order = _stacked(build, given, rank)
    shape = (*inputs[0].shape[:-1], inputs[2].shape[-1])
    made = build.add(name, Attention(scale, causal), inputs, shape, order)
    return _without_batch(build, made)


def _stacked(build: Builder, values: Sequence[Value], rank: int) -> tuple[list[Value], Order]:
    """Stacks of matrices with all their axes in the source's order, and that order.

    The batch of one image is left out, as everywhere, unless it is the row of a matrix.
    """
    aligned = [value.aligned(rank) for value in values]
    one = rank > 2 and all(value.shape[0] == 1 for value in aligned)
    order = tuple(range(1 if one else 0, rank))
    return [build.ordered(value, order) for value in aligned], order


def _without_batch(build: Builder, x: Value) -> Value:
    """Without the source's axis of one image; ours is in front of all."""
    if x.rank < 2 or x.shape[0] != 1 or 0 not in x.order:
        return x
    return build.ordered(x, tuple(axis for axis in x.order if axis != 0))


def _like_an_image(build: Builder, x: Value, *given: Value) -> Value:
    """With channels last again, if that it was computed of is an image with channels last."""
    order = channels_last(4)
    images = any(value.rank == 4 and value.order == order for value in given)
    return build.ordered(x, order) if images and x.rank == 4 and x.shape[0] == 1 else x


def resample(build: Builder, name: str, x: Value, matrices: dict[int, np.ndarray]) -> Value:
    """Products with matrices `[outputs, inputs]` along axes of the source."""
    for axis, matrix in matrices.items():
        x, place = build.along(x, axis)
        shape = tuple(len(matrix) if a == axis % x.rank else n for a, n in enumerate(x.shape))
        operation = Resample(place, constant(np.asarray(matrix, np.float64)))
        x = build.add(name, operation, [x], shape, x.order, x.dtype)
    return x


def _pooled_shape(operation: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that a pooling gives."""
    return jax.eval_shape(operation, jax.ShapeDtypeStruct(shape, np.float32)).shape


def _known(weight: Weight) -> Known:
    return weight if isinstance(weight, Known) else Known(weight)


def _given(**leaves: Weight | None) -> dict[str, Known]:
    """The leaves that there are."""
    return {name: _known(weight) for name, weight in leaves.items() if weight is not None}
