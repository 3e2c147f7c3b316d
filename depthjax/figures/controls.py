"""Networks of which it is known what they keep, under one protocol."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from depthjax.figures.panels import mark, mark_noisy_copy, separate_names, settle
from depthjax.figures.scale import log_scale
from depthjax.figures.style import (
    AMBER,
    BLUE,
    EDGE,
    GREEN,
    GREY,
    ORANGE,
    PALE,
    PURPLE,
    SKY,
    TITLE,
    styled,
)
from depthjax.figures.text import short_name, short_number, wrapped_title
from depthjax.figures.values import drawable, median

_PREDICTED: dict[str, Any] = {
    "marker": "D",
    "markerfacecolor": "none",
    "markersize": 6,
    "linestyle": "",
}
_COLOURS = (BLUE, GREEN, ORANGE, PURPLE, AMBER, SKY)


class Control(NamedTuple):
    """One network.

    Fields:
        measured, predicted: D at every depth, `[L, N]`.
    """

    measured: ArrayLike
    predicted: ArrayLike


def controls_against_depth(
    depths: Sequence[str],
    controls: Mapping[str, Control],
    start: float,
    *,
    floor: float = 0.0,
    title: str | None = None,
) -> Figure:
    """D against depth: lines for what was measured, open diamonds for what theory predicts.

    Args:
        depths: labels of the L depths.
        controls: by network.
        start: D of the start, median.
        floor: D of rounding, below which a prediction has no counterpart and is not drawn.
        title: above the figure.

    Raises:
        ValueError: if there is no network, or an array does not have L rows.
    """
    if not controls:
        raise ValueError("there are no controls to draw; give one network at least")
    for name, control in controls.items():
        if len(np.asarray(control.measured)) != len(depths):
            raise ValueError(
                f"{len(depths)} depths, but the D of {name} has shape"
                f" {np.asarray(control.measured).shape}"
            )
    places = np.arange(len(depths))
    known = [np.asarray(control.measured, float) for control in controls.values()]
    with styled():
        figure = Figure(figsize=(5.2, 3.3), layout="constrained")
        axes = figure.subplots()
        handles = []
        for index, (name, control) in enumerate(controls.items()):
            colour = _COLOURS[index % len(_COLOURS)]
            measured = drawable(np.asarray(control.measured, float))
            told = np.asarray(control.predicted, float)
            told = np.where(told > floor, told, np.nan)
            axes.plot(places, measured, color=colour, alpha=0.25, linewidth=0.5)
            axes.plot(places, median(measured), color=colour, linewidth=1.7)
            middle = np.where(np.isnan(told).any(1), np.nan, median(told))
            axes.plot(places, middle, color=colour, **_PREDICTED)
            handles.append(Line2D([], [], color=colour, label=short_name(name)))
        above = f" (above {short_number(floor)})" if floor else ""
        handles.append(Line2D([], [], color=GREY, label=f"predicted{above}", **_PREDICTED))
        log_scale(axes, "y", *known, start, 1.0)
        names = [mark_noisy_copy(axes), mark(axes, start, f"start D₀  {short_number(start)}", GREY)]
        axes.set_xticks(places, list(depths), parse_math=False)
        axes.grid(axis="x", color=PALE, linewidth=0.4)
        axes.set_xlim(-0.3, len(depths) - 0.7)
        axes.set_xlabel("blocks or layers passed")
        axes.set_ylabel("input ratio D\n(0: image recovered)")
        count = known[0].shape[1]
        figure.legend(
            handles=handles,
            loc="outside lower left",
            ncols=3,
            title=f"thin: each of {count} (seeds × images), thick: median",
            alignment="left",
        )
        if title is not None:
            page = figure.get_figwidth() * 72
            figure.suptitle(wrapped_title(title, page), x=EDGE / page, ha="left", fontsize=TITLE)
        settle(figure)
        separate_names(figure, axes, names)
        return figure
