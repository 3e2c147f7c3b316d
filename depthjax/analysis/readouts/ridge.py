"""Ridge regression from embeddings to pixels, in its dual form: as large as the examples, squared.

Of N examples with embeddings E and images X, both without their means, the read-out is
`x̂(e) = x̄ + (e − ē) Eᵀ (E Eᵀ + λ)⁻¹ X`. It is the same as `x̄ + (e − ē) (EᵀE + λ)⁻¹ Eᵀ X`, but the
matrix has N×N entries, not m×m (Saunders, Gammerman & Vovk 1998).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from depthjax.errors import require

PENALTIES = tuple(10.0**power for power in range(-6, 3))
"""λ in units of the mean variance of an example's embedding, of which the best is taken."""


class RidgeReadout(NamedTuple):
    """A linear map from embeddings to images, float64.

    Fields:
        embeddings: of the N examples, without their mean, `[N, m]`.
        mean_embedding: `[m]`.
        dual: (E Eᵀ + λ)⁻¹ X, `[N, n]`.
        mean_image: `[H, W, C]`.
        penalty: λ, in squared units of the embedding.
        error: root mean square error of the pixels of each example, by the read-out of all others,
            or, where groups are given, by that of all other groups.
    """

    embeddings: Float[np.ndarray, "examples m"]
    mean_embedding: Float[np.ndarray, " m"]
    dual: Float[np.ndarray, "examples n"]
    mean_image: Float[np.ndarray, "h w c"]
    penalty: float
    error: float


def fit_ridge(
    embeddings: ArrayLike,
    images: Float[np.ndarray, "examples h w c"],
    *,
    groups: Sequence[str | int] | None = None,
    penalty: float | None = None,
) -> RidgeReadout:
    """Fits the read-out; its penalty is the best one for examples that are left out.

    Leaving out one group g after the other needs no fits: the errors of those left out are
    `(1 − H_gg)⁻¹ r_g`, where r are the residuals and H maps what is given to what is fitted
    (Allen 1974, of single examples).

    Args:
        embeddings: of the examples, `[N, …]`.
        images: the examples, `[N, H, W, C]`.
        groups: to which group each belongs, such as the photograph that it is a crop of: crops
            overlap, so the others tell of one what they cannot tell of a new photograph. By default
            each is one by itself.
        penalty: λ in units of the mean of ‖e − ē‖²; by default the best of `PENALTIES`.

    Raises:
        ValueError: for fewer than 2 examples or groups, for as many groups as there are no
            examples, for embeddings that are all the same, and for a penalty that is not positive.
    """
    rows = np.asarray(embeddings, np.float64).reshape(len(images), -1)
    pixels = np.asarray(images, np.float64).reshape(len(images), -1)
    if len(rows) < 2 or not np.isfinite(rows).all():
        raise ValueError(
            f"a read-out needs 2 examples or more, with finite embeddings; got {len(rows)}"
        )
    members = _members(len(rows), groups)
    require(penalty is None or penalty > 0, "penalty", penalty, "above 0")
    mean_embedding, mean_pixels = rows.mean(0), pixels.mean(0)
    rows, pixels = rows - mean_embedding, pixels - mean_pixels
    values, vectors = np.linalg.eigh(rows @ rows.T)
    values = np.maximum(values, 0.0)
    unit = values.mean()
    if unit == 0:
        raise ValueError("the embeddings of all examples are the same; there is nothing to read")
    turned = vectors.T @ pixels
    tried = [
        (_left_out(values, vectors, turned, pixels, members, unit * one), float(unit * one))
        for one in (PENALTIES if penalty is None else (penalty,))
    ]
    error, best = min(tried)
    dual = vectors @ (turned / (values + best)[:, None])
    mean_image = mean_pixels.reshape(np.shape(images)[1:])
    return RidgeReadout(rows, mean_embedding, dual, mean_image, best, error)


def _members(count: int, groups: Sequence[str | int] | None) -> list[np.ndarray]:
    """The places of the examples of each group."""
    of = np.arange(count) if groups is None else np.asarray(groups)
    if of.shape != (count,) or len(set(of.tolist())) < 2:
        raise ValueError(
            f"{count} examples need a group each, and 2 groups or more, one of which is left out;"
            f" got {len(of)} of {len(set(of.tolist()))}"
        )
    return [np.flatnonzero(of == group) for group in np.unique(of)]


def _left_out(
    values: np.ndarray,
    vectors: np.ndarray,
    turned: np.ndarray,
    pixels: np.ndarray,
    members: Sequence[np.ndarray],
    penalty: float,
) -> float:
    """The root mean square error of each group by the fit of all others, with their means."""
    share = values / (values + penalty)
    residual = pixels - vectors @ (share[:, None] * turned)
    total = 0.0
    for at in members:
        own = vectors[at]
        leverage = 1 / len(values) + (own * share) @ own.T
        total += np.square(np.linalg.solve(np.eye(len(at)) - leverage, residual[at])).sum()
    return float(np.sqrt(total / pixels.size))


def ridge_estimate(
    readout: RidgeReadout, embeddings: ArrayLike
) -> Float[np.ndarray, "images h w c"]:
    """The images that the read-out takes embeddings for, in any range.

    Args:
        readout: from `fit_ridge`.
        embeddings: `[B, …]`, of the same layer.

    Raises:
        ValueError: for embeddings of another size.
    """
    rows = np.asarray(embeddings, np.float64)
    rows = rows.reshape(len(rows), -1)
    size = readout.mean_embedding.size
    if rows.shape[1] != size:
        raise ValueError(f"the read-out is of {size} numbers, the embeddings have {rows.shape[1]}")
    found = (rows - readout.mean_embedding) @ readout.embeddings.T @ readout.dual
    return readout.mean_image + found.reshape(-1, *readout.mean_image.shape)
