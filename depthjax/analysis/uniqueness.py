"""How many images a layer takes for one: solutions of descents from far-apart starts, compared.

Restarts that all match the embedding, and end at one image, have found all that there is to find,
as far as these starts tell. If they end at images that differ, the layer cannot tell these apart.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist, squareform

LEVEL = 0.1
"""ρ up to which a solution counts as matched."""

APART = 1.0
"""D above which two images count as different: farther than the target's noisy copy from it."""

_DRAWN = ("uniform", "gaussian", "pink", "image")


@dataclass(frozen=True)
class Uniqueness:
    """What R solutions for each of B images are to each other, and to the image.

    All distances are in units of D: over m_i', that of the noisy copy.

    Fields:
        matched: which solutions have ρ ≤ the level; the others count nowhere below.
        to_target: D of each solution, `[R, B]`.
        between: D between each two matched solutions, `[R, R, B]`; NaN with one that is not.
        solutions: into how many groups the matched ones fall, each a chain of images no farther
            than `APART` from the next; 0 where none is matched.
        recovered: whether the target is in such a group.
        spread: standard deviation over the matched solutions of each pixel, root mean square over
            channels, `[B, H, W]`; NaN where fewer than two are matched.
    """

    matched: Bool[np.ndarray, "restarts batch"]
    to_target: Float[np.ndarray, "restarts batch"]
    between: Float[np.ndarray, "restarts restarts batch"]
    solutions: Int[np.ndarray, " batch"]
    recovered: Bool[np.ndarray, " batch"]
    spread: Float[np.ndarray, "batch height width"]

    @property
    def mean_between(self) -> Float[np.ndarray, " batch"]:
        """Mean D between two matched solutions; NaN where fewer than two are matched."""
        return _means(self.between, np.triu_indices(len(self.between), 1))

    @property
    def mean_to_target(self) -> Float[np.ndarray, " batch"]:
        """Mean D of the matched solutions; NaN where none is matched."""
        with np.errstate(invalid="ignore"):
            kept = np.where(self.matched, self.to_target, 0).sum(0) / self.matched.sum(0)
        return np.asarray(kept)


def uniqueness(
    images: Float[np.ndarray, "restarts batch height width channels"],
    targets: Float[np.ndarray, "batch height width channels"],
    embedding_ratio: Float[np.ndarray, "restarts batch"],
    reference_input_distance: Float[np.ndarray, " batch"],
    *,
    level: float = LEVEL,
    apart: float = APART,
) -> Uniqueness:
    """Compares the solutions of several restarts, such as `depthjax.autoencode` finds.

    Args:
        images: the solutions, pixels in [0, 1].
        targets: the images whose embedding they match.
        embedding_ratio: ρ of each.
        reference_input_distance: m_i' of each target.
        level: ρ up to which a solution is matched.
        apart: D above which two images are different ones.

    Raises:
        ValueError: for fewer than two restarts.
    """
    restarts, count = embedding_ratio.shape
    check_restarts(restarts)
    matched = np.isfinite(embedding_ratio) & (embedding_ratio <= level)
    with_target = np.concatenate([np.asarray(targets)[None], np.asarray(images)])
    flat = np.nan_to_num(with_target.reshape(1 + restarts, count, -1).astype(np.float64))
    ratios = [
        squareform(pdist(flat[:, b])) / scale
        for b, scale in enumerate(np.asarray(reference_input_distance, np.float64))
    ]
    groups = [_groups(ratio, there, apart) for ratio, there in zip(ratios, matched.T, strict=True)]
    every = np.stack(ratios, -1)
    both = matched[:, None] & matched[None]
    return Uniqueness(
        matched=matched,
        to_target=every[0, 1:],
        between=np.where(both, every[1:, 1:], np.nan),
        solutions=np.array([len(set(labels[1:])) for labels in groups]),
        recovered=np.array([labels[0] in labels[1:] for labels in groups]),
        spread=_spread(np.asarray(images, np.float64), matched),
    )


def far_starts(restarts: int) -> tuple[str, ...]:
    """Kinds of starts that lie far from each other: one is flat, the others are drawn in turn.

    Args:
        restarts: how many, for `InversionConfig(restarts=…, start=…)`.

    Raises:
        ValueError: for fewer than two.
    """
    check_restarts(restarts)
    return "flat", *(_DRAWN[number % len(_DRAWN)] for number in range(restarts - 1))


def check_restarts(restarts: int) -> None:
    """Raises a `ValueError` unless there are solutions to compare."""
    if restarts < 2:
        raise ValueError(
            f"uniqueness compares solutions, and there is {restarts} for each image; give"
            " several restarts, such as InversionConfig(restarts=8, start=far_starts(8))"
        )


def _groups(ratio: np.ndarray, matched: np.ndarray, apart: float) -> list[int]:
    """The group of the target, then of each matched solution; single linkage."""
    kept = np.concatenate([[True], matched])
    if not matched.any():
        return [1]
    inner = ratio[np.ix_(kept, kept)]
    # The target links no two solutions: they are grouped among themselves first.
    own = [1] if len(inner) == 2 else _linked(inner[1:, 1:], apart)
    nearest = int(np.argmin(inner[0, 1:]))
    of_target = own[nearest] if inner[0, 1 + nearest] <= apart else 0
    return [of_target, *own]


def _linked(ratio: np.ndarray, apart: float) -> list[int]:
    tree = linkage(squareform(ratio, checks=False), "single")
    return [int(label) for label in fcluster(tree, apart, "distance")]


def _means(between: np.ndarray, pairs: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    values = between[pairs]
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, values, 0).sum(0) / known.sum(0))


def _spread(images: np.ndarray, matched: np.ndarray) -> np.ndarray:
    """Of each image over its matched solutions; the sample's, so with one less than there are."""
    weight = matched[:, :, None, None, None].astype(np.float64)
    there = np.where(weight > 0, images, 0.0)
    number = matched.sum(0).astype(np.float64)[:, None, None, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = there.sum(0) / number
        variance = (weight * np.square(there - mean)).sum(0) / (number - 1)
    variance = np.where(number > 1, variance, np.nan)
    return np.asarray(np.sqrt(variance.mean(-1)))
