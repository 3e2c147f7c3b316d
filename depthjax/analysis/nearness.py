"""Do inputs of any kind come to lie among the embeddings of the training set?

Claim C14 of our list, after arXiv 2211.06496: arbitrary inputs are mapped to the manifold that was
learned in training. Two numbers say so, each 1 for what a held-out example has: how far the nearest
training embeddings are, and how much lies outside of the directions in which these vary.
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
    """The embeddings of many images, flat, a batch after the other.

    Args:
        layer, variables: see `depthjax.typing.LayerFn`.
        images: `[N, H, W, C]`, uint8 0..255 or floats.
        max_batch: the most images at once.

    Raises:
        ValueError: for other shapes, no images, or a batch below 1.
    """
    count, shape = len(np.asarray(images)), np.shape(images)
    if len(shape) != 4 or 0 in shape:
        raise ValueError(f"images must be [n, height, width, channels], got shape {shape}")
    if max_batch < 1:
        raise ValueError(f"max_batch must be at least 1, got {max_batch}")
    pixels = np.asarray(images)
    # Batches of one size, or the last one would compile the layer again.
    size = -(-count // -(-count // max_batch))
    found = []
    for first in range(0, count, size):
        batch = pixels[first : first + size]
        missing = size - len(batch)
        padded = np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)])
        found.append(np.asarray(_flat(layer, variables, _as_floats(padded)))[: len(batch)])
    return np.concatenate(found)


@partial(jax.jit, static_argnames="layer")
def _flat(layer: LayerFn, variables: Variables, images: Images) -> Embedding:
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
    """How far the training embeddings are, as a multiple of what a held-out example has.

    `d_k(x) / median d_k(held out)`, with `d_k` the Euclidean distance to the k-th nearest training
    embedding (Sun et al. 2022, "Out-of-distribution detection with deep nearest neighbors"). It
    does not change when the embeddings are moved, rotated or scaled.

    Args:
        training: embeddings of training examples `[N, features]`, k or more.
        held_out: `[H, features]`, of examples of the same kind that were not trained on.
        arbitrary: `[M, features]`, of whatever is asked about.
        k: which neighbour.

    Returns:
        At most 1: as near as half of the held-out examples.

    Raises:
        ValueError: for shapes that do not fit, too few examples, values that are not finite, and
            held-out examples that are all among the training ones.
    """
    if not 1 <= k <= len(training):
        raise ValueError(
            f"{len(training)} training embeddings have no neighbour number {k}; take k from 1 on,"
            " or more examples"
        )
    training, held_out, arbitrary = _checked(training, held_out, arbitrary)
    from sklearn.neighbors import NearestNeighbors

    centre = training.mean(0)
    # In many dimensions trees are slower than looking at all.
    neighbours = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(training - centre)
    distances, scale = (
        neighbours.kneighbors(some - centre)[0][:, -1] for some in (arbitrary, held_out)
    )
    return _over_median(distances, scale, "lie among the training embeddings")


def principal_residual(
    training: Float[np.ndarray, "n features"],
    held_out: Float[np.ndarray, "h _"],
    arbitrary: Float[np.ndarray, "m _"],
    share: float = 0.9,
) -> Float[np.ndarray, " m"]:
    """How much lies outside of where training embeddings vary, as a multiple of held-out ones'.

    `r(x) / median r(held out)` with `r(x) = ‖(x − μ) − P(x − μ)‖ / ‖x − μ‖`: μ is the training
    mean, P projects onto as many leading principal components as hold `share` of the variance.

    Args:
        training, held_out, arbitrary: as in `neighbour_ratio`; two training embeddings at least.
        share: of the training embeddings' variance, between 0 and 1.

    Returns:
        At most 1: within the span as much as half of the held-out examples. 0 at the mean.

    Raises:
        ValueError: for shapes that do not fit, too few examples, values that are not finite,
            a share that is none, and embeddings that all are the same.
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
    """The share of each embedding's norm that lies off the leading components; all centred."""
    few = len(training) < training.shape[1]
    # The smaller of the two matrices of products has the same spectrum and is far quicker.
    products = training @ training.T if few else training.T @ training
    variances, vectors = np.linalg.eigh(products)
    variances, vectors = np.maximum(variances[::-1], 0), vectors[:, ::-1]
    if not variances[0] > 0:
        raise ValueError("all training embeddings are the same: they have no principal components")
    held = np.cumsum(variances) / variances.sum()
    count = int(np.searchsorted(held, share)) + 1
    scale = np.sqrt(variances[:count, None]) if few else 1.0
    found = []
    for x in sets:
        coordinates = vectors[:, :count].T @ (training @ x.T if few else x.T) / scale
        size, inside = np.square(x).sum(1), np.square(coordinates).sum(0)
        share_outside = np.divide(size - inside, size, out=np.zeros_like(size), where=size > 0)
        found.append(np.sqrt(np.maximum(share_outside, 0)))
    return found


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
    """The three sets, if they belong together."""
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
