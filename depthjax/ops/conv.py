"""Convolutions with frozen kernels: forward and transpose both explicit, prepared once.

Each form is a `LinearMap` made for one convolution and one image size; `prepare` turns the kernel
into the arrays that both directions read, of NumPy or JAX as the kernel is. They compute the same
numbers as `lax.conv_general_dilated` and its derivatives, only in an order that the backend is good
at.
"""

import dataclasses
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from depthjax.ops import linear_map, winograd
from depthjax.ops.geometry import Geometry, Pair
from depthjax.typing import AnyArray

Parameters = dict[str, Array]
Prepared = dict[str, AnyArray]
"""Parameters in the host's memory, or on a device."""
_LAYOUT = ("NHWC", "HWIO", "NHWC")


@dataclass(frozen=True)
class Direct:
    """Any convolution; its transpose is a convolution with the flipped kernel.

    XLA would derive that transpose itself, but inside a loop its CPU backend then leaves the
    kernel in a layout that runs at a third of the speed. A kernel flipped beforehand does not.
    """

    geometry: Geometry
    height: int = 0
    width: int = 0

    def prepare(self, kernel: Float[AnyArray, "kh kw i o"]) -> Prepared:
        """The kernel, and the kernel flipped with inputs and outputs exchanged."""
        taps_h, taps_w, inputs, _outputs = kernel.shape
        groups = self.geometry.groups
        grouped = kernel[::-1, ::-1].reshape(taps_h, taps_w, inputs, groups, -1)
        flipped = grouped.transpose(0, 1, 4, 3, 2).reshape(taps_h, taps_w, -1, groups * inputs)
        return {"kernel": kernel, "flipped": flipped}

    def forward(self, parameters: Parameters, x: Array) -> Array:
        """`[B, H, W, I]` -> `[B, H', W', O]`."""
        return _convolution(x, parameters["kernel"], self.geometry)

    def transpose(self, parameters: Parameters, y: Array) -> Array:
        """`[B, H', W', O]` -> `[B, H, W, I]`."""
        kernel = parameters["flipped"]
        back = self.geometry.transposed((self.height, self.width), kernel.shape[:2])
        return _convolution(y, kernel, back)


@dataclass(frozen=True)
class Pointwise:
    """A 1×1 convolution: a matrix product, after dropping the positions that a stride skips."""

    strides: Pair
    height: int = 0
    width: int = 0

    def prepare(self, kernel: Float[AnyArray, "1 1 i o"]) -> Prepared:
        """The kernel as a matrix, both ways."""
        return {"kernel": kernel[0, 0], "flipped": kernel[0, 0].T}

    def forward(self, parameters: Parameters, x: Array) -> Array:
        """`[B, H, W, I]` -> `[B, H', W', O]`."""
        down, right = self.strides
        return x[:, ::down, ::right] @ parameters["kernel"]

    def transpose(self, parameters: Parameters, y: Array) -> Array:
        """`[B, H', W', O]` -> `[B, H, W, I]`."""
        x = y @ parameters["flipped"]
        if self.strides == (1, 1):
            return x
        pads = [(0, 0, 0)]
        for size, stride in zip((self.height, self.width), self.strides, strict=True):
            pads.append((0, (size - 1) % stride, stride - 1))
        return lax.pad(x, jnp.zeros((), x.dtype), [*pads, (0, 0, 0)])


@dataclass(frozen=True)
class Patches:
    """A convolution whose windows lie side by side: a matrix product of the patches of an image.

    `Direct` unfolds an image dilated by the stride on the way back: 17 GB for a ViT's patches.
    """

    height: int = 0
    width: int = 0

    def prepare(self, kernel: Float[AnyArray, "kh kw i o"]) -> Prepared:
        """The kernel, whose shape says how large a patch is, and the matrix of the way back."""
        return {"kernel": kernel, "flipped": kernel.reshape(-1, kernel.shape[3]).T}

    def forward(self, parameters: Parameters, x: Array) -> Array:
        """`[B, H, W, I]` -> `[B, H', W', O]`."""
        kernel = parameters["kernel"]
        down, right, inputs, outputs = kernel.shape
        rows, columns = self.height // down, self.width // right
        x = x[:, : rows * down, : columns * right]
        x = x.reshape(-1, rows, down, columns, right, inputs).transpose(0, 1, 3, 2, 4, 5)
        x = x.reshape(-1, rows, columns, down * right * inputs)
        return x @ kernel.reshape(-1, outputs)

    def transpose(self, parameters: Parameters, y: Array) -> Array:
        """`[B, H', W', O]` -> `[B, H, W, I]`."""
        down, right, inputs, _ = parameters["kernel"].shape
        rows, columns = self.height // down, self.width // right
        x = (y @ parameters["flipped"]).reshape(-1, rows, columns, down, right, inputs)
        x = x.transpose(0, 1, 3, 2, 4, 5).reshape(-1, rows * down, columns * right, inputs)
        rest = (self.height - rows * down, self.width - columns * right)
        return jnp.pad(x, ((0, 0), (0, rest[0]), (0, rest[1]), (0, 0)))


@dataclass(frozen=True)
class SpaceToDepth:
    """A convolution of stride 2 and odd size as one of stride 1 on 2×2 cells (the stem's 7×7).

    The image, padded, becomes `[B, H/2, W/2, 4·C]` and the kernel `[4, 4, 4·C, O]`.
    """

    geometry: Geometry
    height: int = 0
    width: int = 0

    def prepare(self, kernel: Float[AnyArray, "kh kw i o"]) -> Prepared:
        """The kernel rearranged to cells, and flipped."""
        taps, _, inputs, outputs = kernel.shape
        even = taps + taps % 2
        more = (0, even - taps)
        kernel = kernel.__array_namespace__().pad(kernel, (more, more, (0, 0), (0, 0)))
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
        return _convolution(x, parameters["kernel"], Geometry())

    def transpose(self, parameters: Parameters, y: Array) -> Array:
        """`[B, H', W', O]` -> `[B, H, W, I]`."""
        # The few channels of an image make a slow convolution, so that the columns' taps are made
        # into channels, and moved to their places afterwards.
        taps = parameters["kernel"].shape[0]
        columns = _columns(parameters["flipped"], y)
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
        sizes, taps = (self.height, self.width), 2 * cells - 1
        pads = []
        for size, (before, after) in zip(
            sizes, self.geometry.pads(sizes, (taps, taps)), strict=True
        ):
            outputs = (size + before + after - taps) // 2 + 1
            pads.append((before, 2 * (outputs - 1 + cells) - before - size))
        return pads


def _columns(kernel: Array, y: Array) -> Array:
    """`y` with a kernel `[taps, 1, O, …]`, wherever it meets a row.

    In float64 as products, a row of the kernel each: XLA's CPU backend takes five times as long.
    """
    before = after = kernel.shape[0] - 1
    if y.dtype != jnp.float64:
        return _convolution(y, kernel, Geometry(padding=((before, after), (0, 0))))
    moved = [(0, 0, 0), (before, 0, 0), (0, 0, 0), (0, 0, 0)]
    total = jnp.zeros((), y.dtype)
    for row in range(before + 1):
        moved[1] = (before - row, row, 0)
        total += lax.pad(y @ kernel[row, 0], jnp.zeros((), y.dtype), moved)
    return total


@dataclass(frozen=True)
class Strided:
    """A convolution with a stride; its transpose is a sum of products, one for each tap.

    `Direct` convolves zeros between the pixels on the way back: XLA's CPU backend skips those in
    float32 alone, and takes up to forty times as long in float64. Here every `stride`-th pixel of
    the image, one of its phases, meets only the taps that reach it.
    """

    geometry: Geometry
    height: int = 0
    width: int = 0

    def prepare(self, kernel: Float[AnyArray, "kh kw i o"]) -> Prepared:
        """The kernel, and the matrix of each tap for the way back, in an array of its own."""
        taps = itertools.product(*map(range, kernel.shape[:2]))
        return {"kernel": kernel} | {_tap(*tap): kernel[tap].T for tap in taps}

    def forward(self, parameters: Parameters, x: Array) -> Array:
        """`[B, H, W, I]` -> `[B, H', W', O]`."""
        return _convolution(x, parameters["kernel"], self.geometry)

    def transpose(self, parameters: Parameters, y: Array) -> Array:
        """`[B, H', W', O]` -> `[B, H, W, I]`."""
        down, right, inputs, _ = parameters["kernel"].shape
        pads = self.geometry.pads((self.height, self.width), (down, right))
        rows = _Phases(self.height, self.geometry.strides[0], pads[0], down)
        columns = _Phases(self.width, self.geometry.strides[1], pads[1], right)
        zero = jnp.zeros((), y.dtype)
        edges = [(0, 0, 0), rows.edges(y.shape[1]), columns.edges(y.shape[2]), (0, 0, 0)]
        y = lax.pad(y, zero, edges)
        nothing = jnp.broadcast_to(zero, (y.shape[0], rows.length, columns.length, inputs))

        def phase(row: int, column: int) -> Array:
            met = itertools.product(rows.met(row), columns.met(column))
            products = [y[:, r, c] @ parameters[_tap(i, j)] for (i, r), (j, c) in met]
            return sum(products, start=nothing)

        x = jnp.stack(
            [
                jnp.stack([phase(row, column) for column in range(columns.stride)], 3)
                for row in range(rows.stride)
            ],
            2,
        )
        x = x.reshape(-1, rows.length * rows.stride, columns.length * columns.stride, inputs)
        return x[:, : self.height, : self.width]


def _tap(row: int, column: int) -> str:
    return f"tap_{row}_{column}"


class _Phases(NamedTuple):
    """How the windows along one axis meet pixels `phase`, `phase + stride`, … of the image.

    Fields:
        size: of the image.
        stride, pads, taps: of the convolution.
    """

    size: int
    stride: int
    pads: Pair
    taps: int

    @property
    def length(self) -> int:
        """Pixels of a phase; the last may lie outside of the image."""
        return -(-self.size // self.stride)

    def met(self, phase: int) -> Iterator[tuple[int, slice]]:
        """Each tap that reaches the phase, and which padded outputs it is multiplied with."""
        for tap in range((phase + self.pads[0]) % self.stride, self.taps, self.stride):
            begin = (phase + self.pads[0] - tap) // self.stride - self._first
            yield tap, slice(begin, begin + self.length)

    def edges(self, outputs: int) -> tuple[int, int, int]:
        """Zeros around the outputs, so that each tap meets as many of them."""
        end = (self.stride - 1 + self.pads[0]) // self.stride + self.length
        return -self._first, end - outputs, 0

    @property
    def _first(self) -> int:
        """No tap on the first pixel of a phase is of an output before this one."""
        return (self.pads[0] - self.taps + 1) // self.stride


@dataclass(frozen=True)
class Winograd:
    """A 3×3 convolution of stride 1 and padding 1, by `depthjax.ops.winograd` where that pays."""

    height: int = 0
    width: int = 0

    def prepare(self, kernel: Float[AnyArray, "3 3 i o"]) -> Prepared:
        """Both kernels as `Direct` takes them, and as windows."""
        direct = self._direct.prepare(kernel)
        windows = {
            _window(name, element): array
            for name, k in direct.items()
            for element, array in enumerate(winograd.kernel_windows(k))
        }
        return direct | windows

    def forward(self, parameters: Parameters, x: Array) -> Array:
        """`[B, H, W, I]` -> `[B, H, W, O]`."""
        if not winograd.pays(x, parameters["kernel"].shape[3]):
            return self._direct.forward(parameters, x)
        return winograd.convolve([parameters[_window("kernel", e)] for e in range(16)], x)

    def transpose(self, parameters: Parameters, y: Array) -> Array:
        """`[B, H, W, O]` -> `[B, H, W, I]`."""
        if not winograd.pays(y, parameters["flipped"].shape[3]):
            return self._direct.transpose(parameters, y)
        return winograd.convolve([parameters[_window("flipped", e)] for e in range(16)], y)

    @property
    def _direct(self) -> Direct:
        return Direct(_WINOGRAD, self.height, self.width)


def _window(name: str, element: int) -> str:
    return f"{name}_window_{element}"


_WINOGRAD = Geometry(padding=((1, 1), (1, 1)))


@dataclass(frozen=True)
class GroupedTaps:
    """A grouped or depthwise convolution as multiply-adds: one a tap and input of a group."""

    geometry: Geometry
    height: int = 0
    width: int = 0

    def prepare(self, kernel: Float[AnyArray, "kh kw i o"]) -> Prepared:
        """`[kh, kw, i, groups, o / groups]`, and flipped with inputs and outputs exchanged."""
        taps_h, taps_w, inputs, outputs = kernel.shape
        groups = self.geometry.groups
        grouped = kernel.reshape(taps_h, taps_w, inputs, groups, outputs // groups)
        return {"kernel": grouped, "flipped": grouped[::-1, ::-1].transpose(0, 1, 4, 3, 2)}

    def forward(self, parameters: Parameters, x: Array) -> Array:
        """`[B, H, W, I]` -> `[B, H', W', O]`."""
        return _grouped_sum(parameters["kernel"], x, self.geometry)

    def transpose(self, parameters: Parameters, y: Array) -> Array:
        """`[B, H', W', O]` -> `[B, H, W, I]`."""
        kernel = parameters["flipped"]
        back = self.geometry.transposed((self.height, self.width), kernel.shape[:2])
        return _grouped_sum(kernel, y, back)


def _grouped_sum(kernel: Array, x: Array, geometry: Geometry) -> Array:
    taps_h, taps_w, inputs, groups, outputs = kernel.shape
    x = geometry.padded(x, (taps_h, taps_w))
    x = x.reshape(*x.shape[:3], groups, inputs)
    total = jnp.zeros((), x.dtype)
    for dy, dx, i in itertools.product(range(taps_h), range(taps_w), range(inputs)):
        rows, columns = geometry.met_by((dy, dx), (taps_h, taps_w), x.shape[1:3])
        total += x[:, rows, columns, :, i, None] * kernel[dy, dx, i][None, None, None]
    return total.reshape(*total.shape[:3], groups * outputs)


Form = Direct | Pointwise | Patches | SpaceToDepth | Strided | Winograd | GroupedTaps


def choose_form(kernel_size: Pair, geometry: Geometry, channels: int) -> Form:
    """The form that is fastest for a convolution of this kind on the backend in use.

    Args:
        kernel_size, geometry: of the convolution.
        channels: inputs.
    """
    if jax.default_backend() != "cpu":
        return Direct(geometry)
    if geometry.groups > 1:
        return GroupedTaps(geometry)
    if geometry.input_dilation == (1, 1):
        unpadded = geometry.padding == ((0, 0), (0, 0))
        if kernel_size == (1, 1) and unpadded:
            return Pointwise(geometry.strides)
        if geometry.dilation == (1, 1) and unpadded and kernel_size == geometry.strides:
            return Patches()
        if geometry.dilation == (1, 1):
            height, width = kernel_size
            odd = height == width and height % 2
            if geometry.strides == (2, 2) and odd and channels <= 4:
                return SpaceToDepth(geometry)
            if kernel_size == (3, 3) and geometry == _WINOGRAD:
                return Winograd()
            if geometry.strides != (1, 1) and max(kernel_size) <= 3:
                return Strided(geometry)
    return Direct(geometry)


def convolve(form: Form, parameters: Parameters, x: Float[Array, "b h w i"]) -> Array:
    """The convolution of `x`, `[B, H', W', O]`; linear in `x`, weights constant."""
    sized = dataclasses.replace(form, height=x.shape[1], width=x.shape[2])
    return linear_map.apply(sized, parameters, x)


def _convolution(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """A convolution of `x`.

    Images smaller than the kernel are unfolded: there XLA's CPU backend leaves its fast path,
    whatever padding is added. 3×2²×512 with 3×3 takes 0.5 ms instead of 52.
    """
    taps = kernel.shape[:2]
    if any(side < 0 for pad in geometry.pads(x.shape[1:3], taps) for side in pad):
        # XLA's CPU backend may read beyond an image that it crops: 1e30 in float32 (jax 0.10).
        x = geometry.padded(x, taps)
        nothing = ((0, 0), (0, 0))
        geometry = dataclasses.replace(geometry, padding=nothing, input_dilation=(1, 1))
    small = min(x.shape[1:3]) < max(taps)
    if not small or geometry.groups > 1 or jax.default_backend() != "cpu":
        return lax.conv_general_dilated(
            x,
            kernel,
            geometry.strides,
            geometry.pads(x.shape[1:3], taps),
            lhs_dilation=geometry.input_dilation,
            rhs_dilation=geometry.dilation,
            dimension_numbers=_LAYOUT,
            feature_group_count=geometry.groups,
        )
    x = geometry.padded(x, taps)
    # One product: a tap's matrix would be copied out of the kernel before it is multiplied.
    met = [geometry.met_by(tap, taps, x.shape[1:3]) for tap in itertools.product(*map(range, taps))]
    patches = jnp.concatenate([x[:, rows, columns] for rows, columns in met], -1)
    return patches @ kernel.reshape(-1, kernel.shape[-1])
