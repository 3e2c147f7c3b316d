"""Pictures by layer with captions: images that a layer cannot tell apart, and what it sees best."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from depthjax.figures.style import BODY, EDGE, GREY, SMALL, TITLE, styled
from depthjax.figures.text import tallest, widest, wrapped, wrapped_title
from depthjax.figures.values import checked_labels

_WIDTH, _GAP = 84.0, 6.0
"""Least width of a picture, and the gap between pictures, in points."""


def witness_sheet(
    layer_labels: Sequence[str],
    headings: Sequence[str],
    pictures: ArrayLike,
    captions: Sequence[Sequence[str]],
    *,
    note: str = "",
    title: str | None = None,
) -> Figure:
    """A row for each layer, a column for each kind of picture, and a caption below each picture.

    Args:
        layer_labels: names of the L layers, shallow to deep.
        headings: of the C columns.
        pictures: `[C, L, H, W, 3]`, floats; shown clipped to [0, 1].
        captions: `[C][L]`, lines separated by newlines; "" for none.
        note: below the pictures.
        title: above the figure.

    Raises:
        ValueError: if shapes do not belong together, or there is nothing to draw.
    """
    layers = checked_labels(layer_labels, "layer")
    columns = np.asarray(pictures)
    _check(layers, headings, columns, captions)
    below = [text for column in captions for text in column]
    with styled():
        size = max(_WIDTH, widest(below, SMALL) + 2)
        tall = size * columns.shape[2] / columns.shape[3]
        above = [wrapped(name, size, BODY) for name in headings]
        left = EDGE + widest(layers, BODY) + _GAP
        width = left + len(columns) * (size + _GAP) - _GAP + EDGE
        lines = wrapped(note, width - 2 * EDGE, SMALL)
        heading = wrapped_title(title, width)
        top = EDGE + (tallest([heading], TITLE) + 4 if heading else 0)
        first = top + tallest(above, BODY) + 3
        row = tall + tallest(below, SMALL) + 7
        foot = first + len(layers) * row
        height = foot + (tallest([lines], SMALL) if note else 0) + EDGE
        figure = Figure(figsize=(width / 72, height / 72))
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.set_axis_off()
        axes.text(EDGE, EDGE, heading, fontsize=TITLE, va="top")
        for place, (name, column) in enumerate(zip(above, columns, strict=True)):
            x = left + place * (size + _GAP)
            axes.text(x + size / 2, first - 3, name, fontsize=BODY, ha="center", va="bottom")
            for index, image in enumerate(np.clip(column, 0, 1)):
                box = (x, x + size, first + index * row + tall, first + index * row)
                _picture(axes, image, box, captions[place][index])
        for index, layer in enumerate(layers):
            y = first + index * row + tall / 2
            axes.text(left - _GAP, y, layer, fontsize=BODY, ha="right", va="center")
        axes.text(EDGE, foot, lines, fontsize=SMALL, va="top", color=GREY, linespacing=1.1)
        axes.set(xlim=(0, width), ylim=(height, 0))
        return figure


def _check(
    layers: list[str],
    headings: Sequence[str],
    pictures: np.ndarray,
    captions: Sequence[Sequence[str]],
) -> None:
    expected = (len(headings), len(layers))
    if pictures.ndim != 5 or pictures.shape[:2] != expected or pictures.shape[-1] != 3:
        raise ValueError(
            f"pictures must be [{expected[0]} headings, {expected[1]} layers, height, width, 3],"
            f" got {pictures.shape}"
        )
    if [len(column) for column in captions] != [len(layers)] * len(headings):
        raise ValueError(f"there must be {expected[0]} columns of {expected[1]} captions each")
    if not pictures.size:
        raise ValueError("there are no pictures to draw; give one column at least")


def _picture(
    axes: Axes, image: np.ndarray, box: tuple[float, float, float, float], caption: str
) -> None:
    """Draws a picture with a frame and a caption; `box` is left, right, bottom and top."""
    left, right, bottom, top = box
    axes.imshow(image, extent=box, aspect="auto", interpolation="nearest")
    # A frame, since a white picture would have no visible edge on paper.
    frame = Rectangle(
        (left, top), right - left, bottom - top, fill=False, edgecolor=GREY, linewidth=0.3
    )
    axes.add_patch(frame)
    axes.text(
        (left + right) / 2,
        bottom + 1.5,
        caption,
        fontsize=SMALL,
        ha="center",
        va="top",
        linespacing=1.1,
    )
