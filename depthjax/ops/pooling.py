"""Pooling as PyTorch defines it, channels last."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial, reduce

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int, UInt

from depthjax.ops import linear_map
from depthjax.ops.geometry import Pair
from depthjax.ops.materialised import materialised


@dataclass(frozen=True)
class Window:
    """How a window moves over an image; each pair is (vertical, horizontal).

    Fields:
        size: rows and columns of the window.
        strides: from one window to the next.
        padding: (before, after) along each axis.
        dilation: distance between two taps of the window.
        ceil: round the number of windows up, as long as each begins within the image or the
            padding before it (PyTorch's `ceil_mode`).
    """

    size: Pair
    strides: Pair
    padding: tuple[Pair, Pair] = ((0, 0), (0, 0))
    dilation: Pair = (1, 1)
    ceil: bool = False

    def count(self, axis: int, length: int) -> int:
        """How many windows fit along an axis of an image of this length."""
        before, after = self.padding[axis]
        stride = self.strides[axis]
        room = length + before + after - self.reach(axis)
        if room < 0:
            return 0
        count = -(-room // stride) + 1 if self.ceil else room // stride + 1
        return count - 1 if self.ceil and (count - 1) * stride >= length + before else count

    def reach(self, axis: int) -> int:
        """The distance from the first row that a window reads to the row after its last."""
        return (self.size[axis] - 1) * self.dilation[axis] + 1


def window(
    size: int | Pair,
    strides: int | Pair,
    padding: int | tuple[int | Pair, int | Pair] = 0,
    dilation: int | Pair = 1,
    ceil: bool = False,
) -> Window:
    """A `Window`, where one number stands for both axes, or for both sides of an axis."""
    vertical, horizontal = (padding, padding) if isinstance(padding, int) else padding
    sides = _pair(vertical), _pair(horizontal)
    return Window(_pair(size), _pair(strides), sides, _pair(dilation), ceil)


def _pair(value: int | Pair) -> Pair:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def max_pool(
    x: Float[Array, "b h w c"],
    size: int | Pair,
    strides: int | Pair,
    padding: int | tuple[int | Pair, int | Pair] = 0,
    dilation: int | Pair = 1,
    ceil: bool = False,
) -> Float[Array, "b h2 w2 c"]:
    """The largest value of each window, padded by −∞.

    Where values tie, the gradient goes to the first in row-major order, as PyTorch's does; a NaN
    in a window is its value.

    Args:
        x: images.
        size, strides, padding, dilation, ceil: of the windows; see `Window`.
    """
    moves = window(size, strides, padding, dilation, ceil)
    return _max_pool(Windows(moves, *x.shape[1:3]), x)


def average_pool(
    x: Float[Array, "b h w c"],
    size: int | Pair,
    strides: int | Pair,
    padding: int | tuple[int | Pair, int | Pair] = 0,
    dilation: int | Pair = 1,
    ceil: bool = False,
    count_padding: bool = True,
) -> Float[Array, "b h2 w2 c"]:
    """The mean of each window, as PyTorch's and ONNX's.

    Args:
        x: images.
        size, strides, padding, dilation, ceil: of the windows; see `Window`.
        count_padding: divide by the number of positions in the image and its padding, not only
            in the image. What `ceil` adds beyond the padding is never counted.
    """
    windows = Windows(window(size, strides, padding, dilation, ceil), *x.shape[1:3])
    total = reduce(jnp.add, windows.taps(x, 0.0))
    rows, columns = (windows.positions(axis, count_padding) for axis in range(2))
    return total / jnp.asarray(rows[None, :, None, None] * columns[None, None, :, None], x.dtype)


@dataclass(frozen=True)
class Windows:
    """Windows over an image of some size, and the linear map that reads one tap of each.

    As a `LinearMap` its parameters are the winning taps: `forward` reads them, `transpose` puts
    values back where they came from. XLA's own transpose of a maximum (`select_and_scatter`)
    takes ten times as long on the CPU.
    """

    moves: Window
    height: int
    width: int

    @property
    def outputs(self) -> Pair:
        """How many windows there are, vertically and horizontally."""
        return self.moves.count(0, self.height), self.moves.count(1, self.width)

    def positions(self, axis: int, count_padding: bool) -> Int[np.ndarray, " n"]:
        """How many positions of each window are counted along an axis; at least 1."""
        length = (self.height, self.width)[axis]
        before, after = self.moves.padding[axis]
        starts = np.arange(self.outputs[axis]) * self.moves.strides[axis] - before
        taps = starts[:, None] + np.arange(self.moves.size[axis]) * self.moves.dilation[axis]
        first, end = (-before, length + after) if count_padding else (0, length)
        return np.maximum(1, ((taps >= first) & (taps < end)).sum(1))

    def taps(self, x: Float[Array, "b h w c"], fill: float) -> list[Float[Array, "b h2 w2 c"]]:
        """For each position in the window, in row-major order, its value in every window."""
        x = self._pad(x, fill)
        down, right = self.moves.strides
        rows = max(0, (self.outputs[0] - 1) * down + 1)
        columns = max(0, (self.outputs[1] - 1) * right + 1)
        return [
            x[:, dy : dy + rows : down, dx : dx + columns : right] for dy, dx in self._offsets()
        ]

    def _offsets(self) -> Iterator[Pair]:
        """Where the taps of a window are, in row-major order."""
        for row, column in np.ndindex(self.moves.size):
            yield row * self.moves.dilation[0], column * self.moves.dilation[1]

    def forward(self, winners: UInt[Array, "b h2 w2 c"], x: Array) -> Array:
        """`[B, H, W, C]` -> `[B, H', W', C]`: the winning tap of every window."""
        taps = self.taps(x, 0.0)
        zero = jnp.zeros((), x.dtype)
        total = jnp.where(winners == 0, taps[0], zero)
        for tap, value in enumerate(taps[1:], 1):
            total += jnp.where(winners == tap, value, zero)
        return total

    def transpose(self, winners: UInt[Array, "b h2 w2 c"], y: Array) -> Array:
        """`[B, H', W', C]` -> `[B, H, W, C]`: every value back to its window's winning tap."""
        down, right = self.moves.strides
        zero = jnp.zeros((), y.dtype)
        cells = self._cells
        planes = [[jnp.zeros((), y.dtype)] * right for _ in range(down)]
        for tap, (dy, dx) in enumerate(self._offsets()):
            above, left = dy // down, dx // right
            below, after = cells[0] - above - y.shape[1], cells[1] - left - y.shape[2]
            values = jnp.where(winners == tap, y, zero)
            placed = lax.pad(
                values, zero, ((0, 0, 0), (above, below, 0), (left, after, 0), (0, 0, 0))
            )
            planes[dy % down][dx % right] += placed
        whole = (y.shape[0], *cells, y.shape[3])
        rows = [jnp.stack([jnp.broadcast_to(p, whole) for p in row], 3) for row in planes]
        x = jnp.stack(rows, 2).reshape(y.shape[0], cells[0] * down, cells[1] * right, y.shape[3])
        (top, _), (left, _) = self.moves.padding
        return x[:, top : top + self.height, left : left + self.width]

    @property
    def _cells(self) -> Pair:
        """Strides × strides cells that cover all that the windows read, and the image."""
        cells = []
        for axis, length in enumerate((self.height, self.width)):
            stride, before = self.moves.strides[axis], self.moves.padding[axis][0]
            last = (self.outputs[axis] - 1) * stride + self.moves.reach(axis)
            cells.append(-(-max(length + before, last) // stride))
        return cells[0], cells[1]

    def _pad(self, x: Array, fill: float) -> Array:
        pads = []
        for axis, length in enumerate((self.height, self.width)):
            before = self.moves.padding[axis][0]
            covered = self._cells[axis] * self.moves.strides[axis]
            pads.append((before, covered - before - length, 0))
        return lax.pad(x, jnp.asarray(fill, x.dtype), ((0, 0, 0), *pads, (0, 0, 0)))


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _max_pool(windows: Windows, x: Array) -> Array:
    moves = windows.moves
    pads = []
    for axis, length in enumerate((windows.height, windows.width)):
        last = (windows.outputs[axis] - 1) * moves.strides[axis] + moves.reach(axis)
        pads.append((moves.padding[axis][0], last - moves.padding[axis][0] - length))
    lowest = np.array(-np.inf, x.dtype)  # concrete, or lax does not see that this is a maximum
    if 0 in windows.outputs:
        return jnp.zeros((x.shape[0], *windows.outputs, x.shape[3]), x.dtype)
    return lax.reduce_window(
        x,
        lowest,
        lax.max,
        (1, *moves.size, 1),
        (1, *moves.strides, 1),
        ((0, 0), *pads, (0, 0)),
        window_dilation=(1, *moves.dilation, 1),
    )


@_max_pool.defjvp
def _max_pool_jvp(
    windows: Windows, primals: tuple[Array], tangents: tuple[Array]
) -> tuple[Array, Array]:
    (x,), (tangent,) = primals, tangents
    best, *others = windows.taps(x, -np.inf)
    taps = math.prod(windows.moves.size)
    dtype = jnp.uint8 if taps <= 256 else jnp.uint16
    winners = jnp.zeros(best.shape, dtype)
    for tap, value in enumerate(others, 1):
        wins = (value > best) | (value != value)  # the first maximum keeps a tie; NaN stays
        best = jnp.where(wins, value, best)
        winners = jnp.where(wins, dtype(tap), winners)
    return best, linear_map.apply(windows, materialised(winners), tangent)


def adaptive_average_pool(
    x: Float[Array, "b h w c"], size: int | Pair
) -> Float[Array, "b h2 w2 c"]:
    """The mean over `size × size` nearly equal cells, or `(height, width)` of them.

    Cell i covers rows `floor(i·h/size)` to `ceil((i+1)·h/size)`, as in PyTorch; cells overlap where
    the sizes do not divide. Linear, so it is
    two small matrix products.
    """
    rows = jnp.asarray(_averaging_matrix(x.shape[1], _pair(size)[0]), x.dtype)
    columns = jnp.asarray(_averaging_matrix(x.shape[2], _pair(size)[1]), x.dtype)
    return jnp.einsum("ih,bhwc,jw->bijc", rows, x, columns)


def _averaging_matrix(length: int, size: int) -> np.ndarray:
    matrix = np.zeros((size, length))
    for i in range(size):
        start, stop = i * length // size, -(-(i + 1) * length // size)
        matrix[i, start:stop] = 1 / (stop - start)
    return matrix
