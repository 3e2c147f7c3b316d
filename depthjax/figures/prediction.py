"""Distances that linear theory predicts, beside those that descents measure."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from depthjax.figures.panels import add_legend
from depthjax.figures.style import COLOURS, GREY, colours, styled
from depthjax.figures.text import short_name, short_number

_LOST: dict[str, Any] = {"linewidth": 0.6, "linestyle": (0, (2, 2))}
"""Style of the line at the distance that lies in the null space."""


class Curve(NamedTuple):
    """The descents of one layer, from N images.

    Fields:
        steps: of every record, `[T]`.
        measured: m_i at every record, `[T, N]`.
        predicted: m_i before every step and after the last, `[steps + 1, N]`.
        lost: distance in the layer's null space, `[N]`; no descent can recover it.
    """

    steps: ArrayLike
    measured: ArrayLike
    predicted: ArrayLike
    lost: ArrayLike


def predicted_curves(curves: Mapping[str, Curve], *, title: str | None = None) -> Figure:
    """m_i against the step, a panel for each layer: theory as lines, descents as points.

    Args:
        curves: of each layer, shallow to deep; each image has its colour.
        title: above the figure.

    Raises:
        ValueError: if there is nothing to draw.
    """
    if not curves:
        raise ValueError("there are no descents to draw; give one layer at least")
    with styled():
        figure, (panels,) = _grid(1, len(curves))
        for axes, (layer, curve) in zip(panels, curves.items(), strict=True):
            steps, lost = np.asarray(curve.steps), np.atleast_1d(np.asarray(curve.lost))
            columns = zip(np.asarray(curve.measured).T, np.asarray(curve.predicted).T, strict=True)
            for index, (measured, predicted) in enumerate(columns):
                colour = COLOURS[index % len(COLOURS)]
                axes.axhline(lost[index], color=colour, **_LOST)
                axes.plot(predicted, color=colour, linewidth=0.9)
                axes.plot(steps, measured, ".", color=colour, markersize=3.2)
            axes.set_title(short_name(layer))
            axes.set_xlabel("step")
            axes.set_ylim(bottom=0)
        panels[0].set_ylabel("m_i, distance to the target")
        handles = [
            Line2D([], [], color=GREY, linewidth=0.9, label="predicted"),
            Line2D([], [], color=GREY, marker=".", linestyle="", label="measured"),
            Line2D([], [], color=GREY, label="in the null space", **_LOST),
        ]
        images = np.asarray(next(iter(curves.values())).measured).shape[1]
        add_legend(figure, handles, f"a colour is an image; n = {images}", title)
        return figure


class Pairs(NamedTuple):
    """The descents of one layer: the distances at their ends.

    Fields:
        predicted, measured: m_i, `[seeds, images]`.
        explained: R² within the layer.
    """

    predicted: ArrayLike
    measured: ArrayLike
    explained: float


def predicted_against_measured(rows: Mapping[str, Mapping[str, Pairs]]) -> Figure:
    """Measured against predicted distances: a row for each network, a panel for each layer.

    Args:
        rows: `rows[network][layer]`; each seed has its colour, and each image is a point.

    Raises:
        ValueError: if there is nothing to draw.
    """
    if not any(rows.values()):
        raise ValueError("there are no descents to draw; give one network with a layer at least")
    seeds = 0
    with styled():
        figure, grid = _grid(len(rows), max(map(len, rows.values())))
        for line, (network, layers) in zip(grid, rows.items(), strict=True):
            for axes in line[len(layers) :]:
                axes.set_axis_off()
            for axes, (layer, pairs) in zip(line, layers.items(), strict=False):
                predicted, measured = (np.atleast_2d(side) for side in pairs[:2])
                seeds = max(seeds, len(predicted))
                both = np.concatenate([predicted.ravel(), measured.ravel()])
                ends = np.array([np.nanmin(both), np.nanmax(both)])
                ends += np.array([-0.05, 0.05]) * max(np.ptp(ends), 1e-12)
                axes.plot(ends, ends, color=GREY, linewidth=0.7, linestyle=(0, (4, 2)), zorder=1)
                for index, (x, y) in enumerate(zip(predicted, measured, strict=True)):
                    axes.plot(x, y, ".", color=COLOURS[index % len(COLOURS)], markersize=3.6)
                axes.set(xlim=ends, ylim=ends, aspect="equal")
                axes.locator_params(nbins=4)
                axes.set_title(f"{short_name(layer)}   R² {short_number(pairs.explained)}")
            line[0].set_ylabel(f"{short_name(network)}\nmeasured m_i")
        for axes in grid[-1]:
            axes.set_xlabel("predicted m_i")
        handles = [
            Line2D([], [], color=colour, marker=".", linestyle="", label=f"{seed}")
            for seed, colour in enumerate(colours(seeds))
        ]
        add_legend(figure, handles, "a point is an image, a colour a seed of the weights")
        return figure


def _grid(rows: int, columns: int) -> tuple[Figure, list[list[Axes]]]:
    size = ((columns * 112 + 30) / 72, (rows * 118 + 45) / 72)
    figure = Figure(figsize=size, layout="constrained")
    return figure, [list(line) for line in figure.subplots(rows, columns, squeeze=False)]
