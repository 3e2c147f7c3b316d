"""3×3 convolutions of stride 1 and padding 1 in 4/9 of the products.

Every 4×4 window of the image makes 2×2 outputs, `Aᵀ[(G k Gᵀ) · (Bᵀ x B)]A`: F(2×2, 3×3) of Lavin &
Gray, arXiv 1509.09308. The same numbers as the convolution, up to rounding.
"""

from collections.abc import Callable, Sequence

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from depthjax.typing import AnyArray


def kernel_windows(kernel: Float[AnyArray, "3 3 i o"]) -> list[Float[AnyArray, "i o"]]:
    """`G k Gᵀ`, its sixteen elements row by row.

    Each an array of its own: XLA's CPU backend copies a matrix out of a larger array before it
    multiplies with it, at every step.
    """
    taps = [[kernel[i, j] for j in range(3)] for i in range(3)]
    return [element for row in _both_ways(_kernels, taps) for element in row]


def pays(x: Float[Array, "b h w i"], outputs: int) -> bool:
    """Whether fewer products are worth their memory: windows and products, 4 times x and y.

    Measured on 2 cores in float32, milliseconds, convolution -> windows: 8×14²×256 9.0 -> 5.5,
    8×56²×64 11 -> 7.8, 8×28²×512 146 -> 90, 8×56²×256 150 -> 135; but 8×112²×16 5.1 -> 6.0,
    16×56²×64 21 -> 36, 8×112²×128 170 -> 201, 8×3²×512 2.4 -> 3.3, 2×4²×512 1.3 -> 2.1.
    """
    batch, height, width, inputs = x.shape
    rows, columns = -(-height // 2), -(-width // 2)
    windows = batch * rows * columns
    megabytes = 16 * windows * (inputs + outputs) * x.dtype.itemsize / 2**20
    channels = min(inputs, outputs)
    enough = windows >= 16 and height * width >= 0.6 * 4 * rows * columns
    return enough and (channels >= 256 or (channels >= 64 and megabytes <= 64))


def convolve(kernel: Sequence[Float[Array, "i o"]], x: Float[Array, "b h w i"]) -> Array:
    """`[B, H, W, I]` -> `[B, H, W, O]`, of `kernel_windows`."""
    batch, height, width, inputs = x.shape
    rows, columns = -(-height // 2), -(-width // 2)
    pads = ((0, 0, 0), (1, 2 * rows + 1 - height, 0), (1, 2 * columns + 1 - width, 0), (0, 0, 0))
    x = lax.pad(x, jnp.zeros((), x.dtype), pads)
    cells = x.reshape(batch, rows + 1, 2, columns + 1, 2, inputs)

    def everywhere(i: int, j: int) -> Array:
        """Element (i, j) of every window, `[B, rows, columns, I]`."""
        (top, dy), (left, dx) = divmod(i, 2), divmod(j, 2)
        return cells[:, top : top + rows, dy, left : left + columns, dx]

    windows = _both_ways(_inputs, [[everywhere(i, j) for j in range(4)] for i in range(4)])
    products = [[windows[i][j] @ kernel[4 * i + j] for j in range(4)] for i in range(4)]
    outputs = _both_ways(_outputs, products)
    y = jnp.stack([jnp.stack(row, 3) for row in outputs], 2)
    return y.reshape(batch, 2 * rows, 2 * columns, -1)[:, :height, :width]


def _both_ways(
    transform: Callable[..., tuple], matrix: Sequence[Sequence[AnyArray]]
) -> list[tuple]:
    """A linear transform of the columns of a matrix of arrays, then of its rows."""
    columns = [transform(*column) for column in zip(*matrix, strict=True)]
    return [transform(*row) for row in zip(*columns, strict=True)]


def _kernels(k0: AnyArray, k1: AnyArray, k2: AnyArray) -> tuple[AnyArray, ...]:
    """G k."""
    return k0, (k0 + k1 + k2) * 0.5, (k0 - k1 + k2) * 0.5, k2


def _inputs(d0: Array, d1: Array, d2: Array, d3: Array) -> tuple[Array, ...]:
    """Bᵀ d."""
    return d0 - d2, d1 + d2, d2 - d1, d1 - d3


def _outputs(m0: Array, m1: Array, m2: Array, m3: Array) -> tuple[Array, ...]:
    """Aᵀ m."""
    return m0 + m1 + m2, m1 - m2 - m3
