"""Pooling as PyTorch defines it, channels last."""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, UInt

from depthjax.ops import linear_map


def max_pool(
    x: Float[Array, "b h w c"], window: int, strides: int, padding: int = 0
) -> Float[Array, "b h2 w2 c"]:
    """The largest value of each window, padded by −∞, sizes rounded down.

    Where values tie, the gradient goes to the first in row-major order, as PyTorch's does; a NaN
    in a window is its value.
    """
    return _max_pool(Windows(window, strides, padding, *x.shape[1:3]), x)


@dataclass(frozen=True)
class Windows:
    """Square windows over an image, and the linear map that reads one tap of each.

    As a `LinearMap` its parameters are the winning taps: `forward` reads them, `transpose` puts
    values back where they came from. XLA's own transpose of a maximum (`select_and_scatter`)
    takes ten times as long on the CPU.
    """

    window: int
    strides: int
    padding: int
    height: int
    width: int

    @property
    def outputs(self) -> tuple[int, int]:
        """How many windows fit, vertically and horizontally."""
        reach = 2 * self.padding - self.window
        rows, columns = self.height + reach, self.width + reach
        return max(0, rows // self.strides + 1), max(0, columns // self.strides + 1)

    def taps(self, x: Float[Array, "b h w c"], fill: float) -> list[Float[Array, "b h2 w2 c"]]:
        """For each position in the window, in row-major order, its value in every window."""
        x = self._pad(x, fill)
        rows, columns = (max(0, (count - 1) * self.strides + 1) for count in self.outputs)
        step = self.strides
        return [
            x[:, dy : dy + rows : step, dx : dx + columns : step]
            for dy in range(self.window)
            for dx in range(self.window)
        ]

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
        stride, zero = self.strides, jnp.zeros((), y.dtype)
        cells = self._cells
        planes = [[jnp.zeros((), y.dtype)] * stride for _ in range(stride)]
        for tap in range(self.window**2):
            dy, dx = divmod(tap, self.window)
            top, left = dy // stride, dx // stride
            bottom, right = cells[0] - top - y.shape[1], cells[1] - left - y.shape[2]
            values = jnp.where(winners == tap, y, zero)
            placed = lax.pad(
                values, zero, ((0, 0, 0), (top, bottom, 0), (left, right, 0), (0, 0, 0))
            )
            planes[dy % stride][dx % stride] += placed
        whole = (y.shape[0], *cells, y.shape[3])
        rows = [jnp.stack([jnp.broadcast_to(p, whole) for p in row], 3) for row in planes]
        x = jnp.stack(rows, 2).reshape(y.shape[0], cells[0] * stride, cells[1] * stride, y.shape[3])
        top = self.padding
        return x[:, top : top + self.height, top : top + self.width]

    @property
    def _cells(self) -> tuple[int, int]:
        """Strides × strides cells that cover the padded image."""
        reach, stride = 2 * self.padding, self.strides
        return -(-(self.height + reach) // stride), -(-(self.width + reach) // stride)

    def _pad(self, x: Array, fill: float) -> Array:
        pads = [
            (self.padding, cells * self.strides - self.padding - size, 0)
            for cells, size in zip(self._cells, (self.height, self.width), strict=True)
        ]
        return lax.pad(x, jnp.asarray(fill, x.dtype), ((0, 0, 0), *pads, (0, 0, 0)))


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _max_pool(windows: Windows, x: Array) -> Array:
    pads = ((0, 0), *[(windows.padding,) * 2] * 2, (0, 0))
    shape, strides = (
        (1, windows.window, windows.window, 1),
        (1, windows.strides, windows.strides, 1),
    )
    lowest = np.array(-np.inf, x.dtype)  # concrete, or lax does not see that this is a maximum
    return lax.reduce_window(x, lowest, lax.max, shape, strides, pads)


@_max_pool.defjvp
def _max_pool_jvp(
    windows: Windows, primals: tuple[Array], tangents: tuple[Array]
) -> tuple[Array, Array]:
    (x,), (tangent,) = primals, tangents
    best, *others = windows.taps(x, -np.inf)
    dtype = jnp.uint8 if windows.window <= 16 else jnp.uint16
    winners = jnp.zeros(best.shape, dtype)
    for tap, value in enumerate(others, 1):
        wins = (value > best) | (value != value)  # the first maximum keeps a tie; NaN stays
        best = jnp.where(wins, value, best)
        winners = jnp.where(wins, dtype(tap), winners)
    return best, linear_map.apply(windows, _materialised(winners), tangent)


def _materialised(winners: Array) -> Array:
    """The same array, kept in memory: XLA's CPU backend would find it again for every tap.

    It removes `lax.optimization_barrier` before it fuses, but never fuses a reduction over a
    leading axis.
    """
    first = lax.broadcasted_iota(winners.dtype, (2, *winners.shape), 0) == 0
    copies = jnp.where(first, winners[None], jnp.zeros((), winners.dtype))
    return lax.reduce(copies, np.zeros((), winners.dtype), lax.max, (0,))


def adaptive_average_pool(x: Float[Array, "b h w c"], size: int) -> Float[Array, "b s s c"]:
    """The mean over `size × size` nearly equal cells, which overlap where sizes do not divide.

    Cell i covers rows `floor(i·h/size)` to `ceil((i+1)·h/size)`, as in PyTorch. Linear, so it is
    two small matrix products.
    """
    rows = jnp.asarray(_averaging_matrix(x.shape[1], size), x.dtype)
    columns = jnp.asarray(_averaging_matrix(x.shape[2], size), x.dtype)
    return jnp.einsum("ih,bhwc,jw->bijc", rows, x, columns)


def _averaging_matrix(length: int, size: int) -> np.ndarray:
    matrix = np.zeros((size, length))
    for i in range(size):
        start, stop = i * length // size, -(-(i + 1) * length // size)
        matrix[i, start:stop] = 1 / (stop - start)
    return matrix
