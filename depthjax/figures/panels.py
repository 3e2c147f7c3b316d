"""What figures made of panels share: a headline, and marked values with their names beside."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation

from depthjax.figures.style import BODY, EDGE, GREY, LINE, PALE, SMALL, TITLE
from depthjax.figures.text import wrapped, wrapped_title
from depthjax.figures.values import Numbers

NOISY_COPY: dict[str, Any] = {
    "color": GREY,
    "linewidth": 0.8,
    "linestyle": (0, (4, 2)),
    "zorder": 1,
}
"""The line at a ratio of 1."""


def headline(figure: Figure, axes: Axes, note: str, title: str | None, width: float) -> None:
    """The title above the figure, and the note, as wide as `width`, above the panel."""
    axes.set_title(wrapped(note, width, SMALL), loc="left", color=GREY)
    if title is not None:
        page = figure.get_figwidth() * 72
        figure.suptitle(wrapped_title(title, page), x=EDGE / page, ha="left", fontsize=TITLE)


def faint_grid(axes: Axes, along: Literal["both", "x", "y"] = "both") -> None:
    """Thin lines behind all that is drawn."""
    axes.grid(axis=along, color=PALE, linewidth=0.4)
    axes.set_axisbelow(True)


def name_layers(axes: Axes, layers: Sequence[str], *, upright: bool) -> None:
    """A tick for each layer; names that have no room beside each other stand upright."""
    turn = 90 if upright else 0
    axes.set_xticks(range(len(layers)), layers, rotation=turn, parse_math=False)


def settle(figure: Figure) -> None:
    """Lays the figure out once and for all, so that drawing it again gives the same."""
    layout = figure.get_layout_engine()
    if layout is not None:
        layout.execute(figure)
    figure.set_layout_engine("none")


def legend_below(figure: Figure, handles: Sequence[Artist], note: str, title: str | None) -> None:
    """The legend below all panels with a note above its entries, the title, and it is settled."""
    page = figure.get_figwidth() * 72
    figure.legend(
        handles=list(handles),
        loc="outside lower left",
        ncols=len(handles),
        title=wrapped(note, page - 2 * EDGE, BODY),
        alignment="left",
    )
    if title is not None:
        figure.suptitle(wrapped_title(title, page), x=EDGE / page, ha="left", fontsize=TITLE)
    settle(figure)


def mark(axes: Axes, value: float, label: str, colour: str) -> Annotation:
    """A horizontal line with its name right of the panel."""
    axes.axhline(value, color=colour, linewidth=0.8, zorder=1)
    return _name(axes, value, label, colour)


def mark_noisy_copy(axes: Axes) -> Annotation:
    """The same for the noisy copy, dashed."""
    axes.axhline(1.0, **NOISY_COPY)
    return _name(axes, 1.0, "noisy copy", GREY)


def _name(axes: Axes, value: float, label: str, colour: str) -> Annotation:
    return axes.annotate(
        label,
        (1, value),
        xycoords=("axes fraction", "data"),
        xytext=(1.03, 0.5),
        textcoords="axes fraction",
        color=colour,
        fontsize=SMALL,
        va="center",
        annotation_clip=False,
        arrowprops={
            "arrowstyle": "-", "color": colour, "linewidth": 0.5,
            "shrinkA": 1, "shrinkB": 0, "relpos": (0, 0.5),
        },
    )  # fmt: skip


def separate_names(figure: Figure, axes: Axes, marks: Sequence[Annotation]) -> None:
    """Moves the names of a settled panel so that none covers another."""
    pixels = axes.transData.transform([(0.5, mark.xy[1]) for mark in marks])
    wanted = axes.transAxes.inverted().transform(pixels)[:, 1]
    line = SMALL * LINE * figure.dpi / 72
    gap = line / axes.get_window_extent().height
    for mark, place in zip(marks, _spread(wanted, gap), strict=True):
        mark.xyann = (mark.xyann[0], place)


def _spread(wanted: Numbers, gap: float) -> Numbers:
    """Places at least `gap` apart and below 1, in the order of `wanted` and near to it."""
    order = np.argsort(wanted, kind="stable")
    places = wanted[order]
    for index in range(1, len(places)):
        places[index] = max(places[index], places[index - 1] + gap)
    limit = 1.0
    for index in reversed(range(len(places))):
        places[index] = min(places[index], limit)
        limit = places[index] - gap
    found = np.empty_like(places)
    found[order] = places
    return found
