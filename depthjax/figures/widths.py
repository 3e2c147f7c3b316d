"""Descents through multilayer perceptrons of several widths and depths."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from depthjax.figures.panels import faint_grid, headline, settle
from depthjax.figures.scale import log_scale
from depthjax.figures.style import BLUE, COLOURS, GREY, PALE, SMALL, colours, styled
from depthjax.figures.values import (
    Numbers,
    checked_labels,
    drawable,
    median,
    missing_note,
    strokes_note,
)

_STROKES: tuple[Literal["-", "--", "-."], ...] = ("-", "--", "-.")

Descent = tuple[ArrayLike, ArrayLike, ArrayLike]
"""Steps `[T]`, m_g `[T, N]` and m_i `[T, N]` of N descents."""


def distances_against_step(
    descents: Mapping[str, Mapping[str, Descent]],
    floors: Mapping[str, ArrayLike],
    *,
    least: tuple[float, float] = (1e-6, 1e-2),
    note: str = "",
) -> Figure:
    """m_g (left) and m_i (right) against the step, both logarithmic: is the image recovered?

    Lines are medians. Each network has its colour, each optimiser its line style. The dotted line
    of a network's colour is its floor, below which no descent can come.

    Args:
        descents: `descents[network][optimiser]`: steps `[T]`, m_g and m_i `[T, N]`.
        floors: for each network `‖P_N(a − a_0)‖`, `[N]`; drawn unless it lies below the panel.
        least: m_g and m_i at the lower ends of the panels. Without them, distances that tend to 0
            would leave the others little room.
        note: in small type above the panels.

    Raises:
        ValueError: if there is nothing to draw.
    """
    networks = checked_labels(list(descents), "network")
    optimizers = list(dict.fromkeys(name for runs in descents.values() for name in runs))
    cycle = colours(len(networks))
    shown: dict[str, list[Numbers]] = {"steps": [], "m_g": [], "m_i": []}
    with styled():
        figure = Figure(figsize=(7.4, 3.3), layout="constrained")
        left, right = figure.subplots(1, 2)
        for (network, runs), colour in zip(descents.items(), cycle, strict=True):
            for optimizer, descent in runs.items():
                stroke = _stroke(optimizers.index(optimizer))
                _draw_descent(left, right, descent, colour, stroke, shown)
            floor = float(np.median(np.asarray(floors[network], np.float64)))
            if floor > least[1]:
                right.axhline(floor, color=colour, linestyle=":", linewidth=0.9, zorder=1)
                shown["m_i"].append(np.array([floor]))
        for axes, name, end in ((left, "m_g", least[0]), (right, "m_i", least[1])):
            log_scale(axes, "x", *shown["steps"], margin=1.1)
            every = np.concatenate(shown[name])
            log_scale(axes, "y", every[every >= end])
            faint_grid(axes)
            axes.set_xlabel("step")
        left.set_ylabel("embedding distance m_g")
        right.set_ylabel("input distance m_i")
        handles = _handles(networks, cycle, optimizers)
        figure.legend(handles=handles, loc="outside right center")
        headline(figure, left, note, 230.0)
        settle(figure)
        return figure


def _stroke(index: int) -> Literal["-", "--", "-."]:
    return _STROKES[index % len(_STROKES)]


def _draw_descent(
    left: Axes,
    right: Axes,
    descent: Descent,
    colour: str,
    stroke: str,
    shown: dict[str, list[Numbers]],
) -> None:
    """Draws the median of m_g and of m_i, and adds what is drawn to `shown`."""
    steps, embedding, inputs = (np.asarray(values, np.float64) for values in descent)
    later = steps > 0  # a logarithmic axis has no place for the start
    shown["steps"].append(steps[later])
    for axes, name, values in ((left, "m_g", embedding), (right, "m_i", inputs)):
        line = median(drawable(values))[later]
        axes.plot(steps[later], line, color=colour, linestyle=stroke, linewidth=1.3)
        shown[name].append(line)


def _handles(networks: list[str], cycle: list[str], optimizers: list[str]) -> list[Line2D]:
    """The legend: networks by colour, optimisers by line style, and the floor."""
    of_networks = [
        Line2D([], [], color=colour, label=name)
        for name, colour in zip(networks, cycle, strict=True)
    ]
    of_optimizers = [
        Line2D([], [], color=GREY, linestyle=_stroke(index), label=name)
        for index, name in enumerate(optimizers)
    ]
    floor = Line2D([], [], color=GREY, linestyle=":", label="floor ‖P_N(a − a₀)‖")
    return [*of_networks, *of_optimizers, floor]


def steps_to_recover(
    labels: Sequence[str],
    steps: ArrayLike,
    *,
    axis: str,
    note: str = "",
) -> Figure:
    """The number of steps until an image is recovered, on a logarithmic axis.

    Thin lines are images, the thick line is their median.

    Args:
        labels: names of the K places along x, such as depths or networks.
        steps: `[K, N]`; values that are not finite are not drawn.
        axis: label of x.
        note: in small type above the panel.

    Raises:
        ValueError: if shapes do not belong together.
    """
    places = checked_labels(labels, "place")
    table = np.asarray(steps, np.float64)
    if table.ndim != 2 or len(table) != len(places):
        raise ValueError(f"{len(places)} places, but steps have shape {table.shape}")
    with styled():
        figure = Figure(figsize=(4.2, 3.0), layout="constrained")
        axes = figure.subplots()
        at, lines = np.arange(len(places)), drawable(table)
        axes.plot(at, lines, color=GREY, alpha=0.6, linewidth=0.6)
        axes.plot(at, median(lines), color=BLUE, linewidth=1.6, marker="o", markersize=3)
        axes.set_xticks(at, places, parse_math=False)
        axes.set_xlim(-0.4, len(places) - 0.6)
        faint_grid(axes, "y")
        log_scale(axes, "y", table)
        axes.set(xlabel=axis, ylabel="steps to D = 1")
        runs = table.shape[1]
        words = f"{note}   n = {runs}{strokes_note(runs)}{missing_note(table)}"
        headline(figure, axes, words.strip(), 245.0)
        settle(figure)
        return figure


def recovery_against_width(
    widths: ArrayLike,
    shares: Mapping[str, ArrayLike],
    halves: Mapping[str, Sequence[float]],
    *,
    expected: tuple[float, float] | None = None,
    note: str = "",
) -> Figure:
    """The share of runs that recover their image, against the width of the layer.

    Args:
        widths: divided by the number of inputs, `[K]`.
        shares: for each criterion of recovery the share, `[K]`.
        halves: for each criterion the width at which half of the runs recover their image:
            estimate, low, high.
        expected: the range of this width that a claim states; shaded.
        note: in small type above the panel.

    Raises:
        ValueError: if shapes do not belong together.
    """
    at = np.asarray(widths, np.float64)
    with styled():
        figure = Figure(figsize=(4.4, 3.0), layout="constrained")
        axes = figure.subplots()
        if expected is not None:
            axes.axvspan(*expected, color=PALE, alpha=0.5, linewidth=0, label="the claim")
        axes.axhline(0.5, color=GREY, linewidth=0.7, linestyle=":")
        for index, (name, share) in enumerate(shares.items()):
            line = np.asarray(share, np.float64)
            if line.shape != at.shape:
                raise ValueError(f"{at.size} widths, but the share of {name} has {line.shape}")
            colour = COLOURS[index % len(COLOURS)]
            axes.plot(at, line, color=colour, label=name, marker="o", markersize=3, linewidth=1.2)
            _half(axes, np.asarray(halves[name], np.float64), colour, 0.5 + 0.03 * (2 * index - 1))
        axes.set(xlabel="width / inputs", ylabel="share of runs recovered", ylim=(-0.03, 1.03))
        axes.legend(loc="lower right", fontsize=SMALL)
        headline(figure, axes, note, 260.0)
        settle(figure)
        return figure


def _half(axes: Axes, interval: Numbers, colour: str, height: float) -> None:
    """Draws the interval of the width at which half of the runs recover their image."""
    estimate, low, high = interval
    if np.isfinite(interval).all():
        axes.hlines(height, low, high, color=colour, linewidth=1.4)
        axes.plot([estimate], [height], color=colour, marker="|", markersize=9)
