"""Convolutions with frozen kernels: forward and transpose both explicit, prepared once.

Each form is a `LinearMap` made for one convolution and one image size; `prepare` turns the kernel
into the arrays that both directions read. They compute the same numbers as
`lax.conv_general_dilated` and its derivatives, only in an order that the backend is good at.
"""

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from depthjax.ops import linear_map, winograd

Parameters = dict[str, Array]
_LAYOUT = ("NHWC", "HWIO", "NHWC")


@dataclass(frozen=True)
class Direct:
    """Any convolution; its transpose is a convolution with the flipped kernel.

    XLA would derive that transpose itself, but inside a loop its CPU backend then leaves the
    kernel in a layout that runs at a third of the speed. A kernel flipped beforehand does not.
    """

    strides: int
    padding: int
    groups: int = 1
    height: int = 0
    width: int = 0

    def prepare(self, kernel: Float[Array, "kh kw i o"]) -> Parameters:
        """The kernel, and the kernel flipped with inputs and outputs exchanged."""
        taps_h, taps_w, inputs, _outputs = kernel.shape
        grouped = kernel[::-1, ::-1].reshape(taps_h, taps_w, inputs, self.groups, -1)
        flipped = grouped.transpose(0, 1, 4, 3, 2).reshape(taps_h, taps_w, -1, self.groups * inputs)
        return {"kernel": kernel, "flipped": flipped}

    def forward(self, parameters: Parameters, x: Array) -> Array:
        """`[B, H, W, I]` -> `[B, H', W', O]`."""
        pads = ((self.padding, self.padding),) * 2
        return _convolution(x, parameters["kernel"], pads, self.groups, strides=self.strides)

    def transpose(self, parameters: Parameters, y: Array) -> Array:
        """`[B, H', W', O]` -> `[B, H, W, I]`."""
        kernel = parameters["flipped"]
        pads = [
            _transposed_padding(size, taps, self.strides, self.padding)
            for size, taps in zip((self.height, self.width), kernel.shape[:2], strict=True)
        ]
        return _convolution(y, kernel, pads, self.groups, dilation=self.strides)


@dataclass(frozen=True)
class Pointwise:
    """A 1×1 convolution: a matrix product, after dropping the positions that a stride skips."""

    strides: int
    height: int = 0
    width: int = 0

    def prepare(self, kernel: Float[Array, "1 1 i o"]) -> Parameters:
        """The kernel as a matrix, both ways."""
        return {"kernel": kernel[0, 0], "flipped": kernel[0, 0].T}

    def forward(self, parameters: Parameters, x: Array) -> Array:
        """`[B, H, W, I]` -> `[B, H', W', O]`."""
        return x[:, :: self.strides, :: self.strides] @ parameters["kernel"]

    def transpose(self, parameters: Parameters, y: Array) -> Array:
        """`[B, H', W', O]` -> `[B, H, W, I]`."""
        x = y @ parameters["flipped"]
        if self.strides == 1:
            return x
        pads = [(0, 0, 0)]
        for size in (self.height, self.width):
            pads.append((0, (size - 1) % self.strides, self.strides - 1))
        return lax.pad(x, jnp.zeros((), x.dtype), [*pads, (0, 0, 0)])


@dataclass(frozen=True)
class SpaceToDepth:
    """A convolution of stride 2 and odd size as one of stride 1 on 2×2 cells (the stem's 7×7).

    The image, padded, becomes `[B, H/2, W/2, 4·C]` and the kernel `[4, 4, 4·C, O]`.
    """

    padding: int
    height: int = 0
    width: int = 0

    def prepare(self, kernel: Float[Array, "kh kw i o"]) -> Parameters:
        """The kernel rearranged to cells, and flipped."""
        taps, _, inputs, outputs = kernel.shape
        even = taps + taps % 2
        kernel = jnp.pad(kernel, ((0, even - taps), (0, even - taps), (0, 0), (0, 0)))
        half = even // 2
        cells = kernel.reshape(half, 2, half, 2, inputs, outputs)
        cells = cells.transpose(0, 2, 1, 3, 4, 5).reshape(half, half, 4 * inputs, outputs)
        columns = cells[::-1].transpose(0, 3, 1, 2).reshape(half, 1, outputs, -1)
        return {"kernel": cells, "flipped": columns}

    def forward(self, parameters: Parameters, x: Array) -> Array:
        """`[B, H, W, I]` -> `[B, H', W', O]`."""
        (top, bottom), (left, right) = self._pads(parameters)
        x = lax.pad(
            x, jnp.zeros((), x.dtype), ((0, 0, 0), (top, bottom, 0), (left, right, 0), (0, 0, 0))
        )
        batch, height, width, channels = x.shape
        x = x.reshape(batch, height // 2, 2, width // 2, 2, channels)
        x = x.transpose(0, 1, 3, 2, 4, 5).reshape(batch, height // 2, width // 2, 4 * channels)
        return lax.conv_general_dilated(
            x, parameters["kernel"], (1, 1), "VALID", dimension_numbers=_LAYOUT
        )

    def transpose(self, parameters: Parameters, y: Array) -> Array:
        """`[B, H', W', O]` -> `[B, H, W, I]`."""
        # The few channels of an image make a slow convolution, so that the columns' taps are made
        # into channels, and moved to their places afterwards.
        taps = parameters["kernel"].shape[0]
        pads = ((taps - 1, taps - 1), (0, 0))
        columns = lax.conv_general_dilated(
            y, parameters["flipped"], (1, 1), pads, dimension_numbers=_LAYOUT
        )
        batch, height, width, _ = columns.shape
        columns = columns.reshape(batch, height, width, taps, -1)
        zero = jnp.zeros((), y.dtype)
        x = zero
        for tap in range(taps):
            shift = ((0, 0, 0), (0, 0, 0), (tap, taps - 1 - tap, 0), (0, 0, 0))
            x += lax.pad(columns[..., tap, :], zero, shift)
        batch, height, width, cells = x.shape
        x = x.reshape(batch, height, width, 2, 2, cells // 4)
        x = x.transpose(0, 1, 3, 2, 4, 5).reshape(batch, 2 * height, 2 * width, cells // 4)
        (top, bottom), (left, right) = self._pads(parameters)
        return lax.pad(
            x,
            jnp.zeros((), x.dtype),
            ((0, 0, 0), (-top, -bottom, 0), (-left, -right, 0), (0, 0, 0)),
        )

    def _pads(self, parameters: Parameters) -> list[tuple[int, int]]:
        """Padding that makes whole cells of exactly the rows that the windows read."""
        cells = parameters["kernel"].shape[0]
        pads = []
        for size in (self.height, self.width):
            outputs = (size + 2 * self.padding - (2 * cells - 1)) // 2 + 1
            pads.append((self.padding, 2 * (outputs - 1 + cells) - self.padding - size))
        return pads


@dataclass(frozen=True)
class Winograd:
    """A 3×3 convolution of stride 1 and padding 1, by `depthjax.ops.winograd` where that pays."""

    height: int = 0
    width: int = 0

    def prepare(self, kernel: Float[Array, "3 3 i o"]) -> Parameters:
        """Both kernels as `Direct` takes them, and as windows."""
        direct = self._direct.prepare(kernel)
        windows = {f"{name}_windows": winograd.kernel_windows(k) for name, k in direct.items()}
        return direct | windows

    def forward(self, parameters: Parameters, x: Array) -> Array:
        """`[B, H, W, I]` -> `[B, H, W, O]`."""
        if not winograd.pays(x, parameters["kernel"].shape[3]):
            return self._direct.forward(parameters, x)
        return winograd.convolve(parameters["kernel_windows"], x)

    def transpose(self, parameters: Parameters, y: Array) -> Array:
        """`[B, H, W, O]` -> `[B, H, W, I]`."""
        if not winograd.pays(y, parameters["flipped"].shape[3]):
            return self._direct.transpose(parameters, y)
        return winograd.convolve(parameters["flipped_windows"], y)

    @property
    def _direct(self) -> Direct:
        return Direct(1, 1, 1, self.height, self.width)


@dataclass(frozen=True)
class GroupedTaps:
    """A grouped or depthwise convolution as multiply-adds: one a tap and input of a group."""

    groups: int
    strides: int
    padding: int
    height: int = 0
    width: int = 0

    def prepare(self, kernel: Float[Array, "kh kw i o"]) -> Parameters:
        """`[kh, kw, i, groups, o / groups]`, and flipped with inputs and outputs exchanged."""
        taps_h, taps_w, inputs, outputs = kernel.shape
        grouped = kernel.reshape(taps_h, taps_w, inputs, self.groups, outputs // self.groups)
        return {"kernel": grouped, "flipped": grouped[::-1, ::-1].transpose(0, 1, 4, 3, 2)}

    def forward(self, parameters: Parameters, x: Array) -> Array:
        """`[B, H, W, I]` -> `[B, H', W', O]`."""
        pad = (self.padding, self.padding, 0)
        return self._sum(parameters["kernel"], x, (pad, pad), self.strides)

    def transpose(self, parameters: Parameters, y: Array) -> Array:
        """`[B, H', W', O]` -> `[B, H, W, I]`."""
        kernel = parameters["flipped"]
        pads = [
            (*_transposed_padding(size, taps, self.strides, self.padding), self.strides - 1)
            for size, taps in zip((self.height, self.width), kernel.shape[:2], strict=True)
        ]
        return self._sum(kernel, y, tuple(pads), 1)

    def _sum(self, kernel: Array, x: Array, pads: tuple, strides: int) -> Array:
        taps_h, taps_w, inputs, groups, outputs = kernel.shape
        x = lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), *pads, (0, 0, 0)))
        rows, columns = x.shape[1] - taps_h + 1, x.shape[2] - taps_w + 1
        x = x.reshape(*x.shape[:3], groups, inputs)
        total = jnp.zeros((), x.dtype)
        for dy, dx, i in itertools.product(range(taps_h), range(taps_w), range(inputs)):
            tap = x[:, dy : dy + rows : strides, dx : dx + columns : strides, :, i, None]
            total += tap * kernel[dy, dx, i][None, None, None]
        return total.reshape(*total.shape[:3], groups * outputs)


Form = Direct | Pointwise | SpaceToDepth | Winograd | GroupedTaps


def choose_form(kernel_size: int, strides: int, padding: int, groups: int, channels: int) -> Form:
    """The form that is fastest for a convolution of this kind on the backend in use.

    Args:
        kernel_size, strides, padding, groups: of the convolution.
        channels: inputs.
    """
    if jax.default_backend() != "cpu":
        return Direct(strides, padding, groups)
    if groups > 1:
        return GroupedTaps(groups, strides, padding)
    if kernel_size == 1 and padding == 0:
        return Pointwise(strides)
    if strides == 2 and kernel_size % 2 and channels <= 4:
        return SpaceToDepth(padding)
    if kernel_size == 3 and strides == 1 and padding == 1:
        return Winograd()
    return Direct(strides, padding)


def convolve(form: Form, parameters: Parameters, x: Float[Array, "b h w i"]) -> Array:
    """The convolution of `x`, `[B, H', W', O]`; linear in `x`, weights constant."""
    sized = dataclasses.replace(form, height=x.shape[1], width=x.shape[2])
    return linear_map.apply(sized, parameters, x)


def _convolution(
    x: Array,
    kernel: Array,
    pads: Sequence[tuple[int, int]],
    groups: int,
    *,
    strides: int = 1,
    dilation: int = 1,
) -> Array:
    """A convolution of `x` with `dilation - 1` zeros between its pixels.

    Images smaller than the kernel are convolved a tap at a time: there XLA's CPU backend leaves its
    fast path, whatever padding is added. 3×2²×512 with 3×3 takes 2.3 ms instead of 52.
    """
    small = min(x.shape[1:3]) < max(kernel.shape[:2])
    if not small or groups > 1 or jax.default_backend() != "cpu":
        return lax.conv_general_dilated(
            x,
            kernel,
            (strides,) * 2,
            pads,
            lhs_dilation=(dilation,) * 2,
            dimension_numbers=_LAYOUT,
            feature_group_count=groups,
        )
    taps_h, taps_w = kernel.shape[:2]
    edges = [(before, after, dilation - 1) for before, after in pads]
    x = lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), *edges, (0, 0, 0)))
    rows, columns = x.shape[1] - taps_h + 1, x.shape[2] - taps_w + 1
    total = jnp.zeros((), x.dtype)
    for dy, dx in itertools.product(range(taps_h), range(taps_w)):
        tap = x[:, dy : dy + rows : strides, dx : dx + columns : strides]
        total += tap @ kernel[dy, dx]
    return total


def _transposed_padding(size: int, taps: int, strides: int, padding: int) -> tuple[int, int]:
    """Padding under which a convolution with the flipped kernel undoes one of this padding."""
    # Rows that no window reached, because the stride did not divide, get zeros.
    unreached = (size + 2 * padding - taps) % strides
    before = taps - 1 - padding
    return before, before + unreached
