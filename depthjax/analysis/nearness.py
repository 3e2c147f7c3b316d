"""How near images or embeddings lie to the examples of a training set.

Claim C14 of our list, after arXiv 2211.06496: arbitrary inputs are mapped to the manifold that was
learned in training. Two distances test it: to the nearest training examples, and to the plane of
their principal components. Both are in units of the median distance between two training examples,
which training changes less than it does the distance of held-out examples: where classes collapse,
those come as near as training examples are to each other.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Float32
from numpy.typing import ArrayLike

from depthjax.devices.precision import matmul_precision
from depthjax.errors import imported
from depthjax.models.fast import fast_form, verified
from depthjax.typing import Embedding, Images, LayerFn, Variables

PAIRS = 10_000
"""Of training examples, which `pair_distance` looks at."""


def embed_flat(
    layer: LayerFn, variables: Variables, images: ArrayLike, max_batch: int = 256
) -> Float32[np.ndarray, "n features"]:
    """The flattened embeddings of many images, computed in batches by the layer's own fast form.

    Args:
        layer, variables: see `depthjax.typing.LayerFn`.
        images: `[N, H, W, C]`, uint8 in 0..255 or floats in [0, 1].
        max_batch: the largest number of images in a batch.

    Returns:
        `[N, features]`, float32.

    Raises:
        ValueError: for other shapes, for no images, for a batch below 1, and for a fast form that
            is another function.
    """
    return flat_embedder(layer, variables, images, max_batch)(images)


def flat_embedder(
    layer: LayerFn, variables: Variables, images: ArrayLike, max_batch: int = 256
) -> Callable[[ArrayLike], Float32[np.ndarray, "n features"]]:
    """`embed_flat` of one layer for many calls: the fast form is made and verified once, here.

    Args:
        layer, variables, max_batch: as there.
        images: `[N, H, W, C]`, of the size that will be embedded; the first is verified with.

    Returns:
        A function of images `[N, H, W, C]` to their embeddings `[N, features]`.

    Raises:
        ValueError: as `embed_flat`; for images so does the function.
    """
    if max_batch < 1:
        raise ValueError(f"max_batch must be at least 1, got {max_batch}")
    first_image = _as_floats(_checked_pixels(images)[:1])
    fast, weights = verified(layer, variables, *fast_form(layer, variables), first_image)

    def embedded(images: ArrayLike) -> Float32[np.ndarray, "n features"]:
        pixels = _checked_pixels(images)
        # All batches have one size: a smaller last one would compile the layer again.
        size = -(-len(pixels) // -(-len(pixels) // max_batch))
        embeddings = []
        for first in range(0, len(pixels), size):
            batch = pixels[first : first + size]
            missing = size - len(batch)
            padded = np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)])
            embedding = np.asarray(_flat_embedding(fast, weights, _as_floats(padded)))
            embeddings.append(embedding[: len(batch)])
        return np.concatenate(embeddings)

    return embedded


def _checked_pixels(images: ArrayLike) -> np.ndarray:
    pixels = np.asarray(images)
    if pixels.ndim != 4 or not pixels.size:
        raise ValueError(f"images must be [n, height, width, channels], got shape {pixels.shape}")
    return pixels


@partial(jax.jit, static_argnames="layer")
def _flat_embedding(layer: LayerFn, variables: Variables, images: Images) -> Embedding:
    with matmul_precision():
        embedding = layer(variables, images)
    return embedding.reshape(len(images), -1).astype(jnp.float32)


def _as_floats(pixels: np.ndarray) -> Images:
    scale = 255 if pixels.dtype == np.uint8 else 1
    return jnp.asarray(pixels, jnp.float32) / scale


def neighbour_distance(
    training: Float[np.ndarray, "n features"],
    others: Float[np.ndarray, "m _"],
    k: int = 5,
) -> Float[np.ndarray, " m"]:
    """The Euclidean distance to the k-th nearest training example, over `pair_distance`.

    (Sun et al. 2022, "Out-of-distribution detection with deep nearest neighbors".) Invariant when
    all points are translated, rotated or scaled.

    Args:
        training: training examples, or their embeddings, `[N, features]` with N at least k.
        others: the points in question, `[M, features]`.
        k: which nearest neighbour.

    Returns:
        `[M]`; 1: as far as two random training examples are from each other.

    Raises:
        ValueError: for shapes that do not fit, for too few examples, for values that are not
            finite, and if all training examples are the same.
    """
    if not 1 <= k <= len(training):
        raise ValueError(
            f"{len(training)} training examples have no neighbour number {k}; take k from 1 on,"
            " or more examples"
        )
    training, others = _checked(training, others)
    neighbors = imported("sklearn.neighbors", "the distance to neighbours", "scikit-learn")

    centre = training.mean(0)
    # In many dimensions search trees are slower than comparing with all.
    neighbours = neighbors.NearestNeighbors(n_neighbors=k, algorithm="brute").fit(training - centre)
    return neighbours.kneighbors(others - centre)[0][:, -1] / pair_distance(training)


def principal_distance(
    training: Float[np.ndarray, "n features"],
    others: Float[np.ndarray, "m _"],
    share: float = 0.9,
) -> Float[np.ndarray, " m"]:
    """The distance to the plane of the training examples' principal components.

    ‖(x − μ) − P(x − μ)‖ over `pair_distance`. μ is the mean of the training examples, P the
    projection onto their leading principal components, as many as explain `share` of the variance.

    Args:
        training, others: as in `neighbour_distance`; at least two training examples.
        share: the fraction of the variance, between 0 and 1.

    Returns:
        `[M]`; 0 within the plane.

    Raises:
        ValueError: for shapes that do not fit, for too few examples, for values that are not
            finite, for a share outside (0, 1), and if all training examples are the same.
    """
    if not 0 < share < 1:
        raise ValueError(
            f"share must lie between 0 and 1, got {share}; 0.9 is 90 % of the variance"
        )
    # What is left beside the plane is a small difference of large squares.
    training, others = _checked(training, others)
    training, others = training.astype(np.float64), others.astype(np.float64)
    unit = pair_distance(training)
    mean = training.mean(0)
    return _outside(training - mean, share, others - mean) / unit


def pair_distance(training: Float[np.ndarray, "n features"]) -> float:
    """The median distance between two different training examples.

    Of `PAIRS` that are drawn, always the same; of few examples all pairs are taken.

    Args:
        training: `[N, features]`, two at least.

    Raises:
        ValueError: if half of the pairs have no distance.
    """
    count = len(training)
    if count * (count - 1) // 2 <= PAIRS:
        first, second = np.triu_indices(count, 1)
    else:
        random = np.random.default_rng(0)
        first = random.integers(0, count, PAIRS)
        second = (first + random.integers(1, count, PAIRS)) % count
    found = float(np.median(np.linalg.norm(training[first] - training[second], axis=1)))
    if not found > 0:
        raise ValueError(
            "half of all pairs of training examples are the same; there is no distance to compare"
            " with"
        )
    return found


def _outside(
    training: Float[np.ndarray, "n features"], share: float, others: Float[np.ndarray, "m features"]
) -> Float[np.ndarray, " m"]:
    """The distance of each point to the plane; both sets are centred at the training mean."""
    few = len(training) < training.shape[1]
    # Both Gram matrices have the same eigenvalues; the smaller one is much faster to decompose.
    products = training @ training.T if few else training.T @ training
    variances, vectors = np.linalg.eigh(products)
    variances, vectors = np.maximum(variances[::-1], 0), vectors[:, ::-1]
    held = np.cumsum(variances) / variances.sum()
    count = int(np.searchsorted(held, share)) + 1
    scale = np.sqrt(variances[:count, None]) if few else 1.0
    coordinates = vectors[:, :count].T @ (training @ others.T if few else others.T) / scale
    squares = np.square(others).sum(1) - np.square(coordinates).sum(0)
    return np.sqrt(np.maximum(squares, 0))


def _checked(*sets: Float[np.ndarray, "_ _"]) -> list[Float[np.ndarray, "_ _"]]:
    """Both sets of points; refuses those that cannot be compared."""
    names = ("training", "others")
    for name, points, least in zip(names, sets, (2, 1), strict=True):
        if len(points) < least:
            raise ValueError(f"{name} holds {len(points)} points; it needs {least} or more")
        if points.shape[1] != sets[0].shape[1]:
            raise ValueError(
                f"{name} has {points.shape[1]} features and training {sets[0].shape[1]}; embed"
                " all of them at one layer of one network, from images of one size"
            )
        if not np.isfinite(points).all():
            raise ValueError(f"{name} holds points that are not finite")
    return list(sets)
