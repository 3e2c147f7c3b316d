"""Parts that many figures have: titles, legends, grids, and marked values with their names."""

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
"""Style of the line at a ratio of 1, the ratio of a lightly noised copy."""


def headline(figure: Figure, axes: Axes, note: str, width: float, title: str | None = None) -> None:
    """Writes the title above the figure, and the note above a panel.

    Args:
        figure: the figure.
        axes: the panel, such as the first one.
        note: in small type, broken into lines at most `width` points wide.
        width: of the note.
        title: of the figure; None for no title.
    """
    axes.set_title(wrapped(note, width, SMALL), loc="left", color=GREY)
    _write_title(figure, title)


def _write_title(figure: Figure, title: str | None) -> None:
    if title is not None:
        page = figure.get_figwidth() * 72
        figure.suptitle(wrapped_title(title, page), x=EDGE / page, ha="left", fontsize=TITLE)


def faint_grid(axes: Axes, along: Literal["both", "x", "y"] = "both") -> None:
    """Draws thin grid lines behind everything else."""
    axes.grid(axis=along, color=PALE, linewidth=0.4)
    axes.set_axisbelow(True)


def name_layers(axes: Axes, layers: Sequence[str], *, upright: bool) -> None:
    """Names the ticks of the layers; `upright` names need less room side by side."""
    turn = 90 if upright else 0
    axes.set_xticks(range(len(layers)), layers, rotation=turn, parse_math=False)


def settle(figure: Figure) -> None:
    """Fixes the layout, so that drawing the figure again gives the same picture."""
    layout = figure.get_layout_engine()
    if layout is not None:
        layout.execute(figure)
    figure.set_layout_engine("none")


def add_legend(
    figure: Figure,
    handles: Sequence[Artist],
    note: str,
    title: str | None = None,
    *,
    place: Literal["outside lower left", "outside upper left"] = "outside lower left",
    columns: int | None = None,
) -> None:
    """Adds the legend outside the panels and the title, and fixes the layout.

    Args:
        figure: the figure.
        handles: the entries, with labels.
        note: above the entries; "" for none.
        title: of the figure; None for no title.
        place: below or above the panels.
        columns: of the legend; None for all entries in one row.
    """
    page = figure.get_figwidth() * 72
    figure.legend(
        handles=list(handles),
        loc=place,
        ncols=columns or len(handles),
        title=wrapped(note, page - 2 * EDGE, BODY) or None,
        alignment="left",
    )
    _write_title(figure, title)
    settle(figure)


def mark(axes: Axes, value: float, label: str, colour: str) -> Annotation:
    """Draws a horizontal line, and its name at the right of the panel."""
    axes.axhline(value, color=colour, linewidth=0.8, zorder=1)
    return _name(axes, value, label, colour)


def mark_noisy_copy(axes: Axes) -> Annotation:
    """Draws the dashed line of the noisy copy with its name."""
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
            "arrowstyle": "-",
            "color": colour,
            "linewidth": 0.5,
            "shrinkA": 1,
            "shrinkB": 0,
            "relpos": (0, 0.5),
        },
    )


def separate_names(figure: Figure, axes: Axes, marks: Sequence[Annotation]) -> None:
    """Moves the names beside a panel so that none covers another; the layout must be fixed."""
    pixels = axes.transData.transform([(0.5, mark.xy[1]) for mark in marks])
    wanted = axes.transAxes.inverted().transform(pixels)[:, 1]
    line = SMALL * LINE * figure.dpi / 72
    gap = line / axes.get_window_extent().height
    for mark, place in zip(marks, _separated(wanted, gap), strict=True):
        mark.xyann = (mark.xyann[0], place)


def _separated(wanted: Numbers, gap: float) -> Numbers:
    """Places near the wanted ones and in their order, at least `gap` apart and at most 1."""
    order = np.argsort(wanted, kind="stable")
    places = wanted[order]
    for index in range(1, len(places)):
        places[index] = max(places[index], places[index - 1] + gap)
    limit = 1.0
    for index in reversed(range(len(places))):
        places[index] = min(places[index], limit)
        limit = places[index] - gap
    separated = np.empty_like(places)
    separated[order] = places
    return separated
