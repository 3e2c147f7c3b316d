"""Does a layer map arbitrary inputs to where the embeddings of its training examples are?

Claim C14 of our list, after arXiv 2211.06496: arbitrary inputs are mapped to the manifold that was
learned in training. Two ratios test it, both relative to the median of held-out examples: the
distance to the nearest training embeddings, and the part of an embedding outside the principal
components of the training embeddings.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Float32
from numpy.typing import ArrayLike

from depthjax.devices.precision import matmul_precision
from depthjax.typing import Embedding, Images, LayerFn, Variables


def embed(
    layer: LayerFn, variables: Variables, images: ArrayLike, max_batch: int = 256
) -> Float32[np.ndarray, "n features"]:
    """The flattened embeddings of many images, computed in batches.

    Args:
        layer, variables: see `depthjax.typing.LayerFn`.
        images: `[N, H, W, C]`, uint8 in 0..255 or floats in [0, 1].
        max_batch: the largest number of images in a batch.

    Returns:
        `[N, features]`, float32.

    Raises:
        ValueError: for other shapes, for no images, and for a batch below 1.
    """
    count, shape = len(np.asarray(images)), np.shape(images)
    if len(shape) != 4 or 0 in shape:
        raise ValueError(f"images must be [n, height, width, channels], got shape {shape}")
    if max_batch < 1:
        raise ValueError(f"max_batch must be at least 1, got {max_batch}")
    pixels = np.asarray(images)
    # All batches have one size: a smaller last one would compile the layer again.
    size = -(-count // -(-count // max_batch))
    embeddings = []
    for first in range(0, count, size):
        batch = pixels[first : first + size]
        missing = size - len(batch)
        padded = np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)])
        embedding = np.asarray(_flat_embedding(layer, variables, _as_floats(padded)))
        embeddings.append(embedding[: len(batch)])
    return np.concatenate(embeddings)


@partial(jax.jit, static_argnames="layer")
def _flat_embedding(layer: LayerFn, variables: Variables, images: Images) -> Embedding:
    with matmul_precision():
        embedding = layer(variables, images)
    return embedding.reshape(len(images), -1).astype(jnp.float32)


def _as_floats(pixels: np.ndarray) -> Images:
    scale = 255 if pixels.dtype == np.uint8 else 1
    return jnp.asarray(pixels, jnp.float32) / scale


def neighbour_ratio(
    training: Float[np.ndarray, "n features"],
    held_out: Float[np.ndarray, "h _"],
    arbitrary: Float[np.ndarray, "m _"],
    k: int = 5,
) -> Float[np.ndarray, " m"]:
    """The distance to the training embeddings, relative to that of held-out examples.

    `d_k(x) / median d_k(held out)`, with `d_k` the Euclidean distance to the k-th nearest training
    embedding (Sun et al. 2022, "Out-of-distribution detection with deep nearest neighbors").
    Invariant when all embeddings are translated, rotated or scaled.

    Args:
        training: embeddings of training examples, `[N, features]` with N at least k.
        held_out: embeddings of examples of the same kind that were not trained on,
            `[H, features]`.
        arbitrary: the embeddings in question, `[M, features]`.
        k: which nearest neighbour.

    Returns:
        `[M]`; 1 or less: as near as at least half of the held-out examples.

    Raises:
        ValueError: for shapes that do not fit, for too few examples, for values that are not
            finite, and if half of the held-out embeddings have distance 0.
    """
    if not 1 <= k <= len(training):
        raise ValueError(
            f"{len(training)} training embeddings have no neighbour number {k}; take k from 1 on,"
            " or more examples"
        )
    training, held_out, arbitrary = _checked(training, held_out, arbitrary)
    from sklearn.neighbors import NearestNeighbors

    centre = training.mean(0)
    # In many dimensions search trees are slower than comparing with all.
    neighbours = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(training - centre)
    distances, scale = (
        neighbours.kneighbors(embeddings - centre)[0][:, -1] for embeddings in (arbitrary, held_out)
    )
    return _over_median(distances, scale, "lie among the training embeddings")


def principal_residual(
    training: Float[np.ndarray, "n features"],
    held_out: Float[np.ndarray, "h _"],
    arbitrary: Float[np.ndarray, "m _"],
    share: float = 0.9,
) -> Float[np.ndarray, " m"]:
    """The part outside the training embeddings' principal components, relative to held-out ones.

    `r(x) / median r(held out)` with `r(x) = ‖(x − μ) − P(x − μ)‖ / ‖x − μ‖`. μ is the mean of the
    training embeddings, P the projection onto their leading principal components, as many as
    explain `share` of the variance.

    Args:
        training, held_out, arbitrary: as in `neighbour_ratio`; at least two training embeddings.
        share: the fraction of the variance, between 0 and 1.

    Returns:
        `[M]`; 1 or less: as much within the components as at least half of the held-out examples.
        0 for an embedding at the mean.

    Raises:
        ValueError: for shapes that do not fit, for too few examples, for values that are not
            finite, for a share outside (0, 1), and if all training embeddings are equal.
    """
    if not 0 < share < 1:
        raise ValueError(
            f"share must lie between 0 and 1, got {share}; 0.9 is 90 % of the variance"
        )
    training, held_out, arbitrary = _checked(training, held_out, arbitrary)
    mean = training.mean(0)
    residual, scale = _outside(training - mean, share, arbitrary - mean, held_out - mean)
    return _over_median(residual, scale, "lie in the span of the training embeddings")


def _outside(
    training: Float[np.ndarray, "n features"], share: float, *sets: Float[np.ndarray, "_ features"]
) -> list[Float[np.ndarray, " _"]]:
    """r(x) of every embedding of each set; the sets are centred at the training mean."""
    few = len(training) < training.shape[1]
    # Both Gram matrices have the same eigenvalues; the smaller one is much faster to decompose.
    products = training @ training.T if few else training.T @ training
    variances, vectors = np.linalg.eigh(products)
    variances, vectors = np.maximum(variances[::-1], 0), vectors[:, ::-1]
    if not variances[0] > 0:
        raise ValueError("all training embeddings are the same: they have no principal components")
    held = np.cumsum(variances) / variances.sum()
    count = int(np.searchsorted(held, share)) + 1
    scale = np.sqrt(variances[:count, None]) if few else 1.0
    residuals = []
    for x in sets:
        coordinates = vectors[:, :count].T @ (training @ x.T if few else x.T) / scale
        size, inside = np.square(x).sum(1), np.square(coordinates).sum(0)
        share_outside = np.divide(size - inside, size, out=np.zeros_like(size), where=size > 0)
        residuals.append(np.sqrt(np.maximum(share_outside, 0)))
    return residuals


def _over_median(
    values: Float[np.ndarray, " m"], held_out: Float[np.ndarray, " h"], why: str
) -> Float[np.ndarray, " m"]:
    scale = np.median(held_out)
    if not scale > 0:
        raise ValueError(
            f"half of the held-out embeddings {why}, so there is nothing to compare to"
        )
    return values / scale


def _checked(*sets: Float[np.ndarray, "_ _"]) -> list[Float[np.ndarray, "_ _"]]:
    """The three sets of embeddings; refuses those that cannot be compared."""
    names = ("training", "held_out", "arbitrary")
    for name, embeddings, least in zip(names, sets, (2, 1, 1), strict=True):
        if len(embeddings) < least:
            raise ValueError(f"{name} holds {len(embeddings)} embeddings; it needs {least} or more")
        if embeddings.shape[1] != sets[0].shape[1]:
            raise ValueError(
                f"{name} has {embeddings.shape[1]} features and training {sets[0].shape[1]}; embed"
                " all of them at one layer of one network, from images of one size"
            )
        if not np.isfinite(embeddings).all():
            raise ValueError(f"{name} holds embeddings that are not finite")
    return list(sets)
