"""Convolution."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from flax.linen.linear import canonicalize_padding
from jax import lax
from jaxtyping import Array

from depthjax.models.initializers import Initializer, Stream, kaiming_normal_fan_out, normal
from depthjax.models.operations.description import Description, describes
from depthjax.models.operations.shared import (
    Leaves,
    at_defaults,
    draw,
    fan_in_mismatch,
    is_default,
    ones,
)
from depthjax.ops.conv import Form, Geometry, choose_form, convolve
from depthjax.typing import AnyArray

_ZERO = normal(0.0)


def conv(
    features: int,
    kernel: int,
    strides: int = 1,
    *,
    groups: int = 1,
    bias: bool = False,
    padding: int | str | None = None,
    kernel_init: Initializer = kaiming_normal_fan_out,
    bias_init: Initializer = _ZERO,
) -> nn.Conv:
    """A square convolution, initialised as torchvision's.

    Args:
        features, kernel, strides, groups, bias: as in PyTorch.
        padding: on every side, by default `kernel // 2`; or "SAME", TensorFlow's.
        kernel_init, bias_init: other distributions.
    """
    side = kernel // 2 if padding is None else padding
    return nn.Conv(
        features,
        (kernel, kernel),
        strides=(strides, strides),
        padding=side if isinstance(side, str) else ((side, side), (side, side)),
        feature_group_count=groups,
        use_bias=bias,
        kernel_init=kernel_init,
        bias_init=bias_init,
        parent=None,
    )


_INITIAL = ("kernel_init", "bias_init", "param_dtype")  # these matter to initialisation alone
_HONOURED = (
    *("features", "kernel_size", "strides", "padding", "input_dilation", "kernel_dilation"),
    *("feature_group_count", "use_bias", "mask", *_INITIAL),
)


@describes(nn.Conv)
@dataclass(frozen=True)
class Convolution(Description):
    """A convolution, prepared in the form that is fastest on the backend.

    A BatchNorm that follows is folded into the kernel and the bias.
    """

    operation: nn.Conv
    kind = "conv"

    def check_inputs(self, leaves: Leaves, x: Array) -> str:
        """The kernel says how many channels it takes."""
        return fan_in_mismatch(leaves, x, self.operation.feature_group_count)

    def call(self, bound: Any, inputs: list[Array], train: bool) -> Array:
        """The convolution, of an image that is cropped before it."""
        plain, x = self._cropped(*inputs)
        if plain is self.operation or bound.is_initializing():
            return super().call(bound, inputs, train)
        return jnp.asarray(plain.apply(bound.variables, x))

    def _cropped(self, x: Array) -> tuple[nn.Conv, Array]:
        """A convolution without negative padding, and the image that it takes in place of `x`.

        XLA's CPU backend may read beyond an image that it crops: 1e32 in float32 (jax 0.10).
        """
        size = self.operation.kernel_size
        axes = 1 if isinstance(size, int) else len(size)
        padding = canonicalize_padding(self.operation.padding, axes)
        if isinstance(padding, str) or min(map(min, padding)) >= 0:
            return self.operation, x
        steps = self.operation.input_dilation or 1
        steps = (steps,) * axes if isinstance(steps, int) else steps
        edges = [(*sides, step - 1) for sides, step in zip(padding, steps, strict=True)]
        edges = [*[(0, 0, 0)] * (x.ndim - 1 - axes), *edges, (0, 0, 0)]
        plain = self.operation.clone(padding="VALID", input_dilation=1, parent=None)
        return plain, lax.pad(x, jnp.zeros((), x.dtype), edges)

    @property
    def is_rewritten(self) -> bool:
        """Whether it is a convolution over two axes, without settings that a form cannot have."""
        size = self.operation.kernel_size
        two_axes = not isinstance(size, int) and len(size) == 2
        return two_axes and at_defaults(self.operation, _HONOURED) and self._padding is not None

    @property
    def absorbs(self) -> bool:
        """Kernel and bias can be scaled."""
        return self.is_rewritten

    def freeze(self, leaves: Leaves, after: tuple[AnyArray, AnyArray] | None = None) -> Any:
        """The arrays that the form takes, and the bias if there is one."""
        if not self.is_rewritten:
            return leaves
        kernel = leaves["params"]["kernel"]
        if self.operation.mask is not None:
            kernel = kernel * self.operation.mask
        bias = leaves["params"]["bias"] if self.operation.use_bias else None
        if after is not None:
            scale, shift = after
            kernel = kernel * scale[None, None, None]
            bias = shift if bias is None else shift + scale * bias
        channels = kernel.shape[2] * self.operation.feature_group_count
        weights = self._form(channels).prepare(kernel)
        return weights if bias is None else {**weights, "bias": bias}

    def run(self, weights: Any, *inputs: Array) -> Array:
        """The convolution in its form; linear in its input."""
        (x,) = inputs
        if not self.is_rewritten:
            plain, x = self._cropped(x)
            return jnp.asarray(plain.apply(weights, x))
        kernels = {name: array for name, array in weights.items() if name != "bias"}
        dtype = jnp.result_type(x, *weights.values())
        x, kernels = x.astype(dtype), {k: array.astype(dtype) for k, array in kernels.items()}
        batch = x.shape[:-3]
        if len(batch) != 1:  # as Flax: all axes before the last three are the batch
            x = x.reshape(-1, *x.shape[-3:])
        y = convolve(self._form(x.shape[-1]), kernels, x)
        if "bias" in weights:
            y = y + weights["bias"][None, None, None]
        return y if len(batch) == 1 else y.reshape(*batch, *y.shape[1:])

    @property
    def _padding(self) -> Any:
        """Numbers for each side, or a name that `Geometry` knows; None for any other padding."""
        padding = canonicalize_padding(self.operation.padding, 2)
        if isinstance(padding, str):
            plain = _pair(self.operation.input_dilation) == (1, 1)
            return padding if plain and padding in ("SAME", "SAME_LOWER", "VALID") else None
        return tuple((int(before), int(after)) for before, after in padding)

    @property
    def geometry(self) -> Geometry:
        """How the kernel moves over an image; for a convolution that is rewritten."""
        operation = self.operation
        return Geometry(
            strides=_pair(operation.strides),
            padding=self._padding,
            dilation=_pair(operation.kernel_dilation),
            input_dilation=_pair(operation.input_dilation),
            groups=operation.feature_group_count,
        )

    def _form(self, channels: int) -> Form:
        size = _pair(self.operation.kernel_size)
        return choose_form(size, self.geometry.resolved(size), channels)

    def initialize(self, stream: Stream, shapes: Leaves, inputs: list[Any]) -> Leaves:
        """Drawn on the host where the distributions are ours."""
        kernel, bias = self.operation.kernel_init, self.operation.bias_init
        if is_default(self.operation, "bias_init"):
            bias = _ZERO
        if not (isinstance(kernel, Initializer) and isinstance(bias, Initializer)):
            return super().initialize(stream, shapes, inputs)
        return {"params": draw({"kernel": kernel, "bias": bias}, shapes["params"], stream)}

    def joins(self, shape: tuple[int, ...], leaves: Leaves) -> Callable[..., Array]:
        """The convolution with a kernel of ones."""
        kernel = leaves["params"]["kernel"]

        def joined(x: Array) -> Array:
            plain, cropped = self._cropped(x)
            plain = plain.clone(use_bias=False, parent=None)
            return jnp.asarray(plain.apply({"params": {"kernel": ones(kernel, x)}}, cropped))

        return joined


def _pair(value: Any) -> tuple[int, int]:
    """A setting for each axis; None is Flax's other word for 1."""
    if value is None or isinstance(value, int):
        return (value or 1,) * 2
    height, width = value
    return int(height), int(width)
