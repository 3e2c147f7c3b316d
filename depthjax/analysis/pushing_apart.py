"""The most different images that a layer takes for one: solutions pushed apart, each still matched.

Restarts end where descents stop, which need not be far apart. Here each solution is moved away from
the others, and a descent brings it back to the target's embedding; again and again. What is farther
apart then is kept.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from depthjax.analysis.uniqueness import check_restarts
from depthjax.inversion.config import InversionConfig
from depthjax.inversion.invert import invert
from depthjax.inversion.state import REACHED
from depthjax.typing import Embedding, LayerFn, Variables

PUSH = 0.1
"""Root mean square of the first push, in pixels from 0 to 1."""


def push_apart(
    layer: LayerFn,
    variables: Variables,
    target_embedding: Embedding,
    solutions: Float[np.ndarray, "restarts batch height width channels"],
    near_enough: Float[np.ndarray, " batch"],
    matched: Bool[np.ndarray, "restarts batch"],
    config: InversionConfig | None = None,
    *,
    rounds: int = 8,
) -> Float[np.ndarray, "restarts batch height width channels"]:
    """Moves solutions away from each other for as long as each can be brought back to a match.

    In each round every matched solution is moved from the mean of the others, and `invert` goes on
    from there until m_g is near enough. Where the mean distance between the solutions of an image
    has grown, those that came back are kept; the push of the others is halved. So the mean distance
    never shrinks, and what was matched stays so.

    Args:
        layer, variables: as in `depthjax.invert`.
        target_embedding: `[B, …]`.
        solutions: images whose embeddings match, pixels in [0, 1].
        near_enough: m_g up to which a solution is matched.
        matched: which solutions are; the others stay where they are and push nobody.
        config: of the descents that bring solutions back; its steps are those of one round.
        rounds: how often all are pushed; 0 changes nothing.

    Returns:
        The images, of which those that were matched still are.

    Raises:
        ValueError: for fewer than two restarts, and as `depthjax.invert`.
    """
    check_restarts(len(solutions))
    images = np.array(solutions)
    dtype, shape = images.dtype, images.shape[2:]
    lengths = np.where(matched, PUSH * np.sqrt(np.prod(shape)), 0.0)
    for _ in range(rounds):
        if not lengths.any():
            break
        away = images - _mean_of_others(images, matched)
        size = np.linalg.norm(away.reshape(*matched.shape, -1), axis=-1)
        factor = np.where(matched, lengths / np.maximum(size, np.finfo(dtype).tiny), 0.0)
        start = np.clip(images + factor[..., None, None, None] * away, 0, 1).astype(dtype)
        found = invert(
            layer,
            variables,
            target_embedding,
            jnp.asarray(start),
            config,
            stop_distance=np.asarray(near_enough),
        )
        back = matched & (np.asarray(found.status) == REACHED)
        moved = np.where(back[..., None, None, None], np.asarray(found.images), images)
        farther = mean_distance(moved, matched) > mean_distance(images, matched)
        images[:, farther] = moved[:, farther]
        lengths = np.where(back & farther, lengths, lengths / 2)
    return images


def mean_distance(
    images: Float[np.ndarray, "restarts batch height width channels"],
    matched: Bool[np.ndarray, "restarts batch"],
) -> Float[np.ndarray, " batch"]:
    """The mean distance between two matched solutions of each image; 0 with fewer than two.

    Args:
        images: the solutions.
        matched: which of them count, `[R, B]`.
    """
    flat = images.reshape(*matched.shape, -1).astype(np.float64)
    total, pairs = np.zeros(matched.shape[1]), np.zeros(matched.shape[1])
    for one in range(1, len(flat)):
        both = matched[one] & matched[:one]
        total += np.where(both, np.linalg.norm(flat[one] - flat[:one], axis=-1), 0).sum(0)
        pairs += both.sum(0)
    return total / np.maximum(pairs, 1)


def _mean_of_others(images: np.ndarray, matched: np.ndarray) -> np.ndarray:
    """For each matched solution the mean of the other ones; itself where there is no other."""
    weight = matched[..., None, None, None].astype(images.dtype)
    others = (weight.sum(0) - weight).clip(1)
    mean = ((weight * images).sum(0) - weight * images) / others
    alone = matched.sum(0) < 2
    return np.where(alone[:, None, None, None], images, mean)
