"""Equations of a traced program that our convolutions and max poolings compute as well.

Each `Replacement` is made of one equation's settings. It brings the input into channels-last order,
computes there, and brings the output into the order that the equation has.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, SupportsIndex

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import JaxprEqn
from jaxtyping import Array

from depthjax.ops.conv import Form, Parameters, Prepared, choose_form, convolve
from depthjax.ops.geometry import Geometry
from depthjax.ops.pooling import max_pool

CONVOLUTION = "conv_general_dilated"
MAX_POOLING = "reduce_window_max"
_MOST_TAPS = 49  # each tap of a window is a pass over the output
_PRECISE = (jnp.float32, jnp.float64)
"""Others may be accumulated in another way than the equation says."""

Order = tuple[int, ...]


@dataclass(frozen=True)
class Convolution:
    """A convolution over two axes with a kernel that is the same for all images.

    Fields:
        form: how it is computed.
        shape, dtype: of the equation's kernel.
        images, kernel, output: where the axes `[B, H, W, I]`, `[H, W, I, O]` and `[B, H, W, O]` lie
            in the equation's arrays.
    """

    form: Form
    shape: Order
    dtype: str
    images: Order
    kernel: Order
    output: Order

    def prepare(self, kernel: Array) -> Prepared:
        """The arrays that `run` takes, from the equation's kernel."""
        return self.form.prepare(jnp.transpose(kernel, self.kernel))

    def run(self, parameters: Parameters, x: Array) -> Array:
        """The equation's output, from its first input."""
        y = convolve(self.form, parameters, jnp.transpose(x, self.images))
        return jnp.transpose(y, _inverse(self.output))


@dataclass(frozen=True)
class MaxPooling:
    """A maximum over windows of two axes.

    Fields:
        order: the axes that become `[B, …, H, W, C]`.
        size, strides, padding, dilation: as `max_pool` takes them.
    """

    order: Order
    size: tuple[int, int]
    strides: tuple[int, int]
    padding: tuple[tuple[int, int], tuple[int, int]]
    dilation: tuple[int, int]

    def run(self, x: Array) -> Array:
        """The equation's output, from its input."""
        x = jnp.transpose(x, self.order)
        flat = x.reshape(math.prod(x.shape[:-3]), *x.shape[-3:])
        y = max_pool(flat, self.size, self.strides, self.padding, self.dilation)
        return jnp.transpose(y.reshape(*x.shape[:-3], *y.shape[1:]), _inverse(self.order))


def convolution_of(equation: JaxprEqn) -> Convolution | str:
    """How we compute a convolution, or why we do not."""
    settings = equation.params
    images, kernel = map(_shaped, equation.invars)
    (output,) = map(_shaped, equation.outvars)
    if kernel.ndim != 4:
        return f"over {kernel.ndim - 2} axes"
    if images.dtype not in _PRECISE or not images.dtype == kernel.dtype == output.dtype:
        return f"of {images.dtype} images and {kernel.dtype} kernels"
    if settings["batch_group_count"] != 1 or 0 in (*images.shape, *kernel.shape, *output.shape):
        return "in groups of the batch, or of nothing"
    numbers = settings["dimension_numbers"]
    (b, i, *space), (o, inputs, *taps) = numbers.lhs_spec, numbers.rhs_spec
    (b_out, o_out, *space_out) = numbers.out_spec
    geometry = Geometry(
        strides=_pair(settings["window_strides"]),
        padding=_sides(settings["padding"]),
        dilation=_pair(settings["rhs_dilation"]),
        input_dilation=_pair(settings["lhs_dilation"]),
        groups=int(settings["feature_group_count"]),
    )
    form = choose_form(_pair([kernel.shape[axis] for axis in taps]), geometry, images.shape[i])
    axes = (b, *space, i), (*taps, inputs, o), (b_out, *space_out, o_out)
    return Convolution(form, tuple(kernel.shape), str(kernel.dtype), *axes)


def max_pooling_of(equation: JaxprEqn) -> MaxPooling | str:
    """How we compute a maximum over windows, or why we do not."""
    settings = equation.params
    (x,) = map(_shaped, equation.invars)
    names = ("window_dimensions", "window_strides", "padding", "window_dilation")
    moves = list(zip(*(settings[name] for name in names), strict=True))
    axes = [axis for axis, move in enumerate(moves) if move[:3] != (1, 1, (0, 0))]
    others = [axis for axis in range(x.ndim) if axis not in axes]
    if len(axes) != 2 or not others or set(settings["base_dilation"]) != {1}:
        return f"with windows over {len(axes)} of {x.ndim} axes"
    size = _pair([moves[axis][0] for axis in axes])
    if math.prod(size) > _MOST_TAPS or not jnp.issubdtype(x.dtype, jnp.floating):
        return f"with windows of {size[0]}×{size[1]}, {x.dtype}"
    return MaxPooling(
        (*others[:-1], *axes, others[-1]),
        size,
        _pair([moves[axis][1] for axis in axes]),
        _sides([moves[axis][2] for axis in axes]),
        _pair([moves[axis][3] for axis in axes]),
    )


def _shaped(variable: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(variable.aval.shape, variable.aval.dtype)


def _inverse(order: Order) -> Order:
    return tuple(int(axis) for axis in np.argsort(order))


def _pair(values: Sequence[SupportsIndex]) -> tuple[int, int]:  # JAX 0.7 has NumPy's integers
    first, second = values
    return int(first), int(second)


def _sides(padding: Sequence[Any]) -> tuple[tuple[int, int], tuple[int, int]]:
    first, second = padding
    return _pair(first), _pair(second)
