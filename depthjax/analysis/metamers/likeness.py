"""How alike two embeddings are: rank correlation, correlation, and signal over noise.

All in float64. Of many embeddings, ranks and norms are computed once for each, and all pairs are
then products of matrices.
"""

from typing import Any, NamedTuple

import numpy as np
import scipy
from jaxtyping import Float


class Likeness(NamedTuple):
    """How alike embeddings are to those of their targets; of any one shape.

    Fields:
        spearman: the rank correlation over all features, from -1 to 1; ties have their mean rank.
        pearson: the correlation over all features, from -1 to 1.
        snr: 10 log₁₀ (‖target‖² / ‖found − target‖²), in dB: 0 where the distance is as long as the
            target's embedding, 20 where it is a tenth of that, infinite where there is none.
    """

    spearman: Any
    pearson: Any
    snr: Any


class Standard(NamedTuple):
    """N embeddings in the form that pairs are computed from.

    Fields:
        ranks, values: without their mean and of unit length, `[N, features]`; 0 if constant.
        mean: of the values, `[N]`.
        length: of the values without their mean, `[N]`.
    """

    ranks: Float[np.ndarray, "n features"]
    values: Float[np.ndarray, "n features"]
    mean: Float[np.ndarray, " n"]
    length: Float[np.ndarray, " n"]


def likeness(
    found: Float[np.ndarray, "*leading features"], target: Float[np.ndarray, "*leading features"]
) -> Likeness:
    """How alike each embedding is to that of its target.

    The correlations are those of `scipy.stats.spearmanr` and `pearsonr`.

    Args:
        found: embeddings, flattened to `[…, features]`.
        target: theirs, of the same shape.

    Returns:
        Three arrays `[…]`, float64. A correlation is NaN where an embedding is constant or not
        finite; `snr` is NaN where one is not finite, or both are 0.

    Raises:
        ValueError: for fewer than two features.
    """
    if found.shape[-1] < 2:
        raise ValueError(
            f"an embedding of {found.shape[-1]} feature has no correlation; take a layer with two"
            " or more"
        )
    x, y = (np.asarray(one, np.float64) for one in (found, target))
    with np.errstate(divide="ignore", invalid="ignore"):
        noise = np.linalg.norm(x - y, axis=-1)
        return Likeness(
            _correlation(scipy.stats.rankdata(x, axis=-1), scipy.stats.rankdata(y, axis=-1)),
            _correlation(x, y),
            20 * np.log10(np.linalg.norm(y, axis=-1) / noise),
        )


def standard(embeddings: Float[np.ndarray, "n features"]) -> Standard:
    """Embeddings in the form that `between` takes; it has twice their size in float64."""
    values = np.asarray(embeddings, np.float64)
    ranks, _, _ = _unit(scipy.stats.rankdata(values, axis=-1))
    return Standard(ranks, *_unit(values))


def between(targets: Standard, others: Standard) -> Likeness:
    """How alike every other embedding is to every target's, as `likeness` has it.

    Args:
        targets: N embeddings.
        others: M embeddings.

    Returns:
        Three arrays `[N, M]`, float64. Where an embedding is constant, its correlations are 0, and
        two embeddings of 0 have 0 dB, as in the code of Feather et al.
    """
    features = targets.values.shape[1]
    pearson = targets.values @ others.values.T
    squares = features * targets.mean**2 + targets.length**2
    noise = features * np.subtract.outer(targets.mean, others.mean) ** 2
    noise += np.subtract.outer(targets.length, others.length) ** 2
    noise += 2 * np.multiply.outer(targets.length, others.length) * np.maximum(1 - pearson, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        snr = 10 * np.log10(squares[:, None] / noise)
    return Likeness(
        np.clip(targets.ranks @ others.ranks.T, -1, 1),
        np.clip(pearson, -1, 1),
        np.nan_to_num(snr, nan=0.0, posinf=np.inf, neginf=-np.inf),
    )


def _unit(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The values without their mean over their length; the mean; the length."""
    mean = values.mean(-1)
    centred = values - mean[..., None]
    length = np.where(np.ptp(values, axis=-1) == 0, 0.0, np.linalg.norm(centred, axis=-1))
    centred /= np.where(length == 0, np.inf, length)[..., None]
    return centred, mean, length


def _correlation(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The correlation over the last axis; NaN where one is constant, since there is none."""
    (unit_x, _, length_x), (unit_y, _, length_y) = _unit(x), _unit(y)
    found = np.clip(np.einsum("...f,...f->...", unit_x, unit_y), -1, 1)
    return np.where((length_x == 0) | (length_y == 0), np.nan, found)
