"""The Jacobian as a dense matrix: for small inputs, and as the reference for all estimates."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from depthjax.compat import enable_x64
from depthjax.devices.memory import require
from depthjax.jacobian.linearization import LinearizedLayer, linearize, pull, push
from depthjax.typing import LayerFn, Variables

BLOCK = 64
"""How many products are computed at once."""


def dense_jacobian(maps: LinearizedLayer) -> Float[np.ndarray, "images m n"]:
    """J as a matrix, by products with the unit vectors of its smaller side; for small inputs.

    Args:
        maps: from `linearize`.

    Returns:
        `[B, m, n]`, in the dtype of the products.

    Raises:
        ValueError: if the matrices do not fit into memory.
    """
    m, n = maps.shape
    _require(maps, copies=2)
    rows = m <= n
    size = m if rows else n
    block = min(BLOCK, size)
    products = []
    for first in range(0, size, block):
        units = np.zeros((block, maps.images, size), maps.dtype)
        here = np.arange(first, min(first + block, size))
        units[here - first, :, here] = 1
        product = (pull if rows else push)(maps, jnp.asarray(units))
        products.append(np.asarray(product)[: len(here)])
    stacked = np.concatenate(products).swapaxes(0, 1)  # [images, smaller, larger]
    return stacked if rows else stacked.swapaxes(1, 2)


def _require(maps: LinearizedLayer, copies: int) -> None:
    m, n = maps.shape
    require(
        f"the Jacobian of {m}×{n} at {maps.images} image{'s' if maps.images > 1 else ''}",
        copies * maps.images * m * n * np.dtype(maps.dtype).itemsize,
        "take one image at a time, smaller ones, or top_singular_values, moments and"
        " spectral_quadrature, which need products alone",
    )


def exact_jacobian(
    layer: LayerFn,
    variables: Variables,
    images: ArrayLike,
    *,
    from_layer: str | None = None,
) -> Float[np.ndarray, "images m n"]:
    """J as a matrix, computed in float64 throughout; for small inputs.

    Args:
        layer, variables, images, from_layer: as in `linearize`; floats are converted to float64.

    Returns:
        `[B, m, n]`, float64.

    Raises:
        ValueError: as `linearize`, and if the matrices do not fit into memory.
    """
    with enable_x64(True):
        exact = jax.tree.map(_as_float64, variables)
        x = np.asarray(images)
        x = x.astype(np.float64) if jnp.issubdtype(x.dtype, jnp.floating) else x
        maps = linearize(layer, exact, x, from_layer=from_layer)
        _require(maps, copies=3)
        return dense_jacobian(maps)


def dense_singular_values(
    layer: LayerFn,
    variables: Variables,
    images: ArrayLike,
    *,
    from_layer: str | None = None,
) -> Float[np.ndarray, "images r"]:
    """All singular values, computed in float64 throughout; for small inputs.

    Args:
        layer, variables, images, from_layer: as in `exact_jacobian`.

    Returns:
        `[B, min(m, n)]`, float64, in descending order.

    Raises:
        ValueError: as `exact_jacobian`.
    """
    jacobian = exact_jacobian(layer, variables, images, from_layer=from_layer)
    return np.stack([_singular_values(matrix) for matrix in jacobian])


def _as_float64(leaf: Any) -> Any:
    array = jnp.asarray(leaf)
    if jnp.issubdtype(array.dtype, jnp.inexact):
        array = array.astype(jnp.promote_types(array.dtype, jnp.float64))  # complex stays complex
    return array


def _singular_values(matrix: np.ndarray) -> np.ndarray:
    tall = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    if tall.shape[0] > 2 * tall.shape[1]:  # R of the QR decomposition has the same ones
        tall = np.asarray(np.linalg.qr(tall, mode="r"))
    return np.linalg.svd(tall, compute_uv=False)
