"""What recovered images show when their embeddings are equally near: read off between iterates.

A descent passes any ρ between two of the iterates that were kept of it. What is measured of these
two is interpolated in log ρ. So networks are compared at one ρ, and not at the first ρ below it,
which depends on how large their steps are.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

Measures = Callable[
    [Float[np.ndarray, "n h w c"], Float[np.ndarray, "n h w c"]], dict[str, np.ndarray]
]
"""Of targets and images `[N, H, W, C]`: named numbers, `[N]` each."""


class Crossing(NamedTuple):
    """Where descents first pass a ρ, among the iterates that were kept.

    Fields:
        after: index of the first kept iterate at or below it; -1 where there is none.
        before: index of the iterate before that one; the same one if it is the first.
        weight: of `before`, from 0 to 1; the rest is the weight of `after`.
    """

    after: Int[np.ndarray, " b"]
    before: Int[np.ndarray, " b"]
    weight: Float[np.ndarray, " b"]


def crossing(rho: Float[np.ndarray, "frames b"], level: Float[np.ndarray, " b"]) -> Crossing:
    """Where descents first pass a level, linear in log ρ.

    Args:
        rho: ρ of the kept iterates.
        level: the ρ that is asked for, of each image.
    """
    below = rho <= level
    reached = below.any(0)
    first = below.argmax(0)
    before = np.maximum(first - 1, 0)
    at = np.arange(rho.shape[1])
    high, low = rho[before, at], rho[first, at]
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = np.log(level / low) / np.log(high / low)
    known = (first > 0) & np.isfinite(weight)
    return Crossing(np.where(reached, first, -1), before, np.where(known, weight, 0.0))


def kept_ratios(arrays: Mapping[str, np.ndarray]) -> Float[np.ndarray, "frames b"]:
    """ρ of the iterates of one layer that were kept.

    Args:
        arrays: of the layer, as in `depthjax.Run.layers`, with `frames`; recorded at every step.
    """
    recorded = arrays["trajectory_step"]
    rows = np.clip(np.searchsorted(recorded, arrays["frame_step"]), 0, len(recorded) - 1)
    return arrays["trajectory_embedding_ratio"][rows, 0].astype(np.float64)


def at_level(
    arrays: Mapping[str, np.ndarray],
    targets: Float[np.ndarray, "b h w c"],
    level: Float[np.ndarray, " b"],
    measures: Measures,
) -> dict[str, Float[np.ndarray, " b"]]:
    """Measures of the images at a level of ρ, which lies between two kept iterates.

    Args:
        arrays: of the layer, with one restart.
        targets: a.
        level: ρ, of each image.
        measures: what is measured.

    Returns:
        `[B]` each; NaN where the descent did not reach the level.
    """
    found = crossing(kept_ratios(arrays), level)
    at = np.flatnonzero(found.after >= 0)
    ends = []
    for index in (found.before, found.after):
        images = arrays["frames"][index[at], 0, at].astype(np.float32) / 255
        ends.append(measures(targets[at], images) if at.size else None)
    if ends[0] is None or ends[1] is None:
        one = targets[:1]
        return {name: np.full(len(targets), np.nan) for name in measures(one, one)}
    values = {}
    for name, high in ends[0].items():
        values[name] = np.full(len(targets), np.nan)
        weight = found.weight[at]
        values[name][at] = weight * high + (1 - weight) * ends[1][name]
    return values


def images_at(
    arrays: Mapping[str, np.ndarray], level: Float[np.ndarray, " b"]
) -> Float[np.ndarray, "b h w c"]:
    """The first kept iterate at or below a level of ρ, to look at; the best image where none is.

    Args:
        arrays: of a layer.
        level: ρ, of each image.
    """
    after = crossing(kept_ratios(arrays), level).after
    every = np.arange(len(level))
    images = arrays["frames"][after, 0, every].astype(np.float32) / 255
    return np.where((after >= 0)[:, None, None, None], images, arrays["images"][0])
