"""The change of an image that moves its embedding most: the top singular vectors of J."""

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from depthjax.analysis.witnesses.pairs import on_grid, pair_distances
from depthjax.inversion.reference import (
    REFERENCE_STD,
    ReferenceNoise,
    checked_images,
    checked_reference,
)
from depthjax.jacobian import linearize, top_singular_values
from depthjax.typing import LayerFn, Scalar, Variables


class Eigendistortions(NamedTuple):
    """For each image, the k changes that move its embedding most, to first order.

    Fields:
        targets: a, on the 8-bit grid, `[B, H, W, C]`.
        images: a + α·v and a − α·v, clipped and on the 8-bit grid, `[2, k, B, H, W, C]`.
        directions: v, right singular vectors of J at a, of norm 1, `[k, B, H, W, C]`.
        singular_values: σ, in descending order, `[k, B]`.
        embedding_ratio, input_ratio, psnr: ρ, D and PSNR in dB of `images`, `[2, k, B]`.
    """

    targets: Float[np.ndarray, "batch height width channels"]
    images: Float[np.ndarray, "2 k batch height width channels"]
    directions: Float[np.ndarray, "k batch height width channels"]
    singular_values: Float[np.ndarray, "k batch"]
    embedding_ratio: Float[np.ndarray, "2 k batch"]
    input_ratio: Float[np.ndarray, "2 k batch"]
    psnr: Float[np.ndarray, "2 k batch"]


def eigendistortions(
    layer: LayerFn,
    variables: Variables,
    images: ArrayLike,
    *,
    k: int = 1,
    rmse: float = 4 / 255,
    reference_key: Array | None = None,
    reference_std: Scalar = REFERENCE_STD,
    draws: int = 8,
) -> Eigendistortions:
    """Changes by a few grey levels that a layer sees best: steps along singular vectors of J.

    Where `ρ / D` is above 1, the layer responds to the change more than to white noise of the same
    norm. Berardino, Ballé, Laparra & Simoncelli (2017), "Eigen-distortions of hierarchical
    representations".

    Args:
        layer, variables: see `depthjax.typing.LayerFn`.
        images: `[B, H, W, C]`, float, in [0, 1]; rounded to 8 bits here.
        k: how many directions.
        rmse: root mean square of the change before clipping and rounding; pixels are in [0, 1].
        reference_key: seeds the noise of m_r and m_i'; by default `jax.random.key(0)`.
        reference_std, draws: of that noise, see `ReferenceNoise`.

    Raises:
        ValueError: for images that are not finite floats in [0, 1], for k below 1 or above the
            number of singular values, for an RMSE that is not positive, for a constant layer.
    """
    targets = on_grid(checked_images(images))
    if not rmse > 0:
        raise ValueError(f"rmse must be positive, got {rmse}; 4 / 255 is four grey levels")
    reference_key = jax.random.key(0) if reference_key is None else reference_key
    noise = ReferenceNoise(reference_key, reference_std, draws)
    reference = checked_reference(layer, variables, targets, noise)
    top = top_singular_values(linearize(layer, variables, targets), k)
    directions = top.right.swapaxes(0, 1).reshape(k, *targets.shape).astype(targets.dtype)
    step = rmse * np.sqrt(targets[0].size) * directions
    moved = on_grid(np.clip(np.stack([targets + step, targets - step]), 0, 1))
    distances = pair_distances(layer, variables, targets, moved, reference)
    values = top.values.T.astype(targets.dtype)
    return Eigendistortions(targets, moved, directions, values, *distances)
