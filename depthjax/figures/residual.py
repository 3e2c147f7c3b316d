"""Where in each layer the residual of a recovered image sits, as maps over the image."""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from depthjax.figures.gallery import gallery

_COLOURS = "magma"


def residual_maps(
    image_labels: Sequence[str],
    targets: ArrayLike,
    positions: Mapping[str, ArrayLike],
    ratios: Mapping[str, ArrayLike],
    words: Mapping[str, Sequence[str]],
) -> Figure:
    """A map for each image and layer: the brighter a position, the more of the residual it holds.

    Each map has a scale of its own, black for nothing and white for its largest share.

    Args:
        image_labels: names of the B images.
        targets: `[B, H, W, 3]`, or grey images.
        positions: share of each position by layer, shallow to deep, `[B, h, w]`.
        ratios: ρ of each of these layers, `[B]`.
        words: what else stands below the maps of a layer, `[B]`.
    """
    shape = np.shape(targets)[1:3]
    return gallery(
        image_labels,
        np.broadcast_to(np.asarray(targets), (*np.shape(targets)[:3], 3)),
        None,
        list(positions),
        np.stack([_maps(np.asarray(shares), shape) for shares in positions.values()]),
        {"ρ": np.stack([np.asarray(ratios[name]) for name in positions])},
        seen=[[""] * len(image_labels), *(words[name] for name in positions)],
        title="Where the residual sits: bright positions hold most of it",
    )


def _maps(
    positions: Float[np.ndarray, "b h w"], shape: tuple[int, int]
) -> Float[np.ndarray, "b height width 3"]:
    """Shares as colours at the size of images; each position is a rectangle."""
    rows, columns = (
        np.arange(side) * own // side for side, own in zip(shape, positions.shape[1:], strict=True)
    )
    shares = positions[:, rows][:, :, columns]
    largest = shares.max((1, 2), keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = np.nan_to_num(shares / largest)
    colours = matplotlib.colormaps[_COLOURS](scaled)[..., :3]
    return np.asarray(colours, np.float32)
