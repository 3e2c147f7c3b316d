"""Pooling as PyTorch defines it, channels last."""

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float


def max_pool(
    x: Float[Array, "b h w c"], window: int, strides: int, padding: int = 0
) -> Float[Array, "b h2 w2 c"]:
    """The largest value of each window, padded by −∞, sizes rounded down.

    Where values tie, the gradient goes to the first in row-major order, as PyTorch's does.
    """
    pads = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    init = np.array(-np.inf, x.dtype)  # concrete, or lax does not see that this is a maximum
    return lax.reduce_window(
        x, init, lax.max, (1, window, window, 1), (1, strides, strides, 1), pads
    )


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
