"""The filters of one convolution in several networks, as pictures."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float32
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from depthjax.figures.style import BODY, EDGE, GREY, SKY, SMALL, TITLE, styled
from depthjax.figures.text import tallest, widest, wrapped, wrapped_title

_MOST = 64
"""Number of filters that are shown of each network."""
_SIDE, _SPACE = 118.0, 16.0
"""Least side of a panel, and the gap between panels, in points."""


def filter_grid(
    filters: Mapping[str, ArrayLike],
    captions: Mapping[str, str] | None = None,
    *,
    title: str | None = None,
) -> Figure:
    """A panel for each network: its filters side by side, in the order of their channels.

    Args:
        filters: for each label `[F, height, width, 1 or 3]` in [0, 1], as from
            `depthjax.analysis.filters.filter_images`; at most 64 are shown.
        captions: for each label a line below its panel.
        title: above the figure.

    Raises:
        ValueError: if there are no filters, or if they have another shape.
    """
    if not filters:
        raise ValueError("there are no filters to draw; give those of one network at least")
    panels = {label: _mosaic(label, np.asarray(given)) for label, given in filters.items()}
    below = {label: (captions or {}).get(label, "") for label in panels}
    shown = max(len(np.asarray(given)) for given in filters.values())
    note = "Each filter is scaled from its least weight to its greatest."
    if shown > _MOST:
        note += f" The first {_MOST} of {shown}."
    with styled():
        side = max(_SIDE, widest([*panels, *below.values()], SMALL) + 4)
        width = 2 * EDGE + len(panels) * (side + _SPACE) - _SPACE
        heading = wrapped_title(title, width)
        lines = wrapped(note, width - 2 * EDGE, SMALL)
        top = EDGE + (tallest([heading], TITLE) + 4 if heading else 0) + BODY + 5
        foot = tallest(below.values(), SMALL) + tallest([lines], SMALL) + 10
        height = top + side + foot + EDGE
        figure = Figure(figsize=(width / 72, height / 72))
        figure.text(EDGE / width, 1 - EDGE / height, heading, va="top", fontsize=TITLE)
        for place, (label, mosaic) in enumerate(panels.items()):
            x = EDGE + place * (side + _SPACE)
            axes = figure.add_axes(
                (x / width, 1 - (top + side) / height, side / width, side / height)
            )
            axes.imshow(
                mosaic, cmap="gray", vmin=0, vmax=1, interpolation="nearest", aspect="equal"
            )
            axes.set_axis_off()
            axes.set_anchor("NW")
            figure.text(x / width, 1 - (top - 4) / height, label, fontsize=BODY, va="bottom")
            at = 1 - (top + side + 3) / height
            figure.text(x / width, at, below[label], fontsize=SMALL, va="top")
        figure.text(EDGE / width, EDGE / height, lines, fontsize=SMALL, color=GREY, va="bottom")
        return figure


def _mosaic(label: str, filters: np.ndarray) -> Float32[np.ndarray, "rows columns channels"]:
    """The filters in a square; between grey filters is blue, since they may have white pixels."""
    if filters.ndim != 4 or filters.shape[-1] not in (1, 3) or 0 in filters.shape:
        raise ValueError(
            f"the filters of {label} must be [filters, height, width, 1 or 3], got shape"
            f" {filters.shape}"
        )
    shown = filters[:_MOST].repeat(4, axis=1).repeat(4, axis=2)  # gaps look thinner
    count, height, width = shown.shape[:3]
    columns = int(np.ceil(np.sqrt(count)))
    rows = -(-count // columns)
    gap = 2
    shape = rows * (height + gap) - gap, columns * (width + gap) - gap
    between = to_rgb(SKY if filters.shape[-1] == 1 else "white")
    mosaic = np.tile(np.array(between, np.float32), (*shape, 1))
    for index, picture in enumerate(shown):
        y, x = index // columns * (height + gap), index % columns * (width + gap)
        mosaic[y : y + height, x : x + width] = picture
    return mosaic
