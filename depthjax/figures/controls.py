"""D against depth for control networks, of which theory predicts what they lose."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from depthjax.figures.panels import add_legend, mark, mark_noisy_copy, separate_names
from depthjax.figures.scale import log_scale
from depthjax.figures.style import (
    AMBER,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PALE,
    PURPLE,
    SKY,
    colours,
    styled,
)
from depthjax.figures.text import short_name, short_number
from depthjax.figures.values import drawable, median

_COLOURS = (BLUE, GREEN, ORANGE, PURPLE, AMBER, SKY)
_PREDICTED: dict[str, Any] = {
    "marker": "D",
    "markerfacecolor": "none",
    "markersize": 6,
    "linestyle": "",
}
"""Style of a predicted value."""


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
        floor: D of rounding; smaller predictions cannot be measured and are not drawn.
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
    measured = [np.asarray(control.measured, float) for control in controls.values()]
    with styled():
        figure = Figure(figsize=(5.2, 3.3), layout="constrained")
        axes = figure.subplots()
        handles = []
        for (name, control), colour in zip(
            controls.items(), colours(len(controls), _COLOURS), strict=True
        ):
            _draw_control(axes, control, floor, colour)
            handles.append(Line2D([], [], color=colour, label=short_name(name)))
        above = f" (above {short_number(floor)})" if floor else ""
        handles.append(Line2D([], [], color=GREY, label=f"predicted{above}", **_PREDICTED))
        log_scale(axes, "y", *measured, start, 1.0)
        marks = [mark_noisy_copy(axes), mark(axes, start, f"start D₀  {short_number(start)}", GREY)]
        axes.set_xticks(np.arange(len(depths)), list(depths), parse_math=False)
        axes.grid(axis="x", color=PALE, linewidth=0.4)
        axes.set_xlim(-0.3, len(depths) - 0.7)
        axes.set_xlabel("blocks or layers passed")
        axes.set_ylabel("input ratio D\n(0: image recovered)")
        note = f"thin: each of {measured[0].shape[1]} (seeds × images), thick: median"
        add_legend(figure, handles, note, title, columns=3)
        separate_names(figure, axes, marks)
        return figure


def _draw_control(axes: Axes, control: Control, floor: float, colour: str) -> None:
    """Draws each measured line, their median, and the median of the predictions."""
    measured = drawable(np.asarray(control.measured, float))
    predicted = np.asarray(control.predicted, float)
    predicted = np.where(predicted > floor, predicted, np.nan)
    places = np.arange(len(measured))
    axes.plot(places, measured, color=colour, alpha=0.25, linewidth=0.5)
    axes.plot(places, median(measured), color=colour, linewidth=1.7)
    middle = np.where(np.isnan(predicted).any(1), np.nan, median(predicted))
    axes.plot(places, middle, color=colour, **_PREDICTED)
