"""Images on the 8-bit grid, and the distances of pairs of them: ρ, D and PSNR."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from depthjax.images import to_uint8
from depthjax.inversion.metrics import embedding_distances
from depthjax.inversion.reference import Reference
from depthjax.inversion.similarity import psnr
from depthjax.typing import LayerFn, Variables


def on_grid(images: ArrayLike) -> np.ndarray:
    """Images in [0, 1], rounded to what an 8-bit file gives back; shape and dtype are kept."""
    values = np.asarray(images)
    return to_uint8(values).astype(values.dtype) / values.dtype.type(255)


def pair_distances(
    layer: LayerFn,
    variables: Variables,
    targets: Float[np.ndarray, "batch height width channels"],
    images: Float[np.ndarray, "*leading height width channels"],
    reference: Reference,
) -> tuple[
    Float[np.ndarray, "*leading"], Float[np.ndarray, "*leading"], Float[np.ndarray, "*leading"]
]:
    """ρ, D and PSNR of images beside their targets.

    Args:
        layer, variables: see `depthjax.typing.LayerFn`.
        targets: a, `[B, H, W, C]`.
        images: x, `[…, B, H, W, C]`.
        reference: m_r and m_i' of the targets.

    Returns:
        `[…, B]` each.
    """
    together = images.reshape(-1, *targets.shape)
    distances = embedding_distances(layer, variables, jnp.asarray(targets), jnp.asarray(together))
    rho = np.asarray(distances) / np.asarray(reference.embedding_distance)
    away = np.sqrt(np.square(together.astype(np.float64) - targets).sum((-3, -2, -1)))
    d = away / np.asarray(reference.input_distance)
    leading = images.shape[:-3]
    return rho.reshape(leading), d.reshape(leading), psnr(targets, images)
