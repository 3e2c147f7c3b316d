"""How descents through multilayer perceptrons go, against their width and depth."""

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
"""Steps `[T]`, m_g and m_i `[T, N]` of N descents."""


def distances_against_step(
    descents: Mapping[str, Mapping[str, Descent]],
    floors: Mapping[str, ArrayLike],
    *,
    least: tuple[float, float] = (1e-6, 1e-2),
    note: str = "",
    title: str | None = None,
) -> Figure:
    """m_g (left) and m_i (right) against the step, both logarithmic: does the image come back?

    Lines are medians. A network has its colour, an optimiser its stroke; the dotted line of a
    network's colour is what no descent can go below.

    Args:
        descents: `descents[network][optimiser]`: steps `[T]`, m_g and m_i `[T, N]`.
        floors: for each network `‖P_N(a − a_0)‖`, `[N]`; not drawn where it is below the panel.
        least: m_g and m_i at which the panels end, so that what goes to nothing leaves room.
        note: in small type above the panels.
        title: above the figure.

    Raises:
        ValueError: if there is nothing to draw.
    """
    networks = checked_labels(list(descents), "network")
    optimizers = list(dict.fromkeys(name for one in descents.values() for name in one))
    shown: dict[str, list[Numbers]] = {"steps": [], "m_g": [], "m_i": []}
    with styled():
        figure = Figure(figsize=(7.4, 3.3), layout="constrained")
        left, right = figure.subplots(1, 2)
        for (network, runs), colour in zip(descents.items(), colours(len(networks)), strict=True):
            for optimizer, (steps, embedding, inputs) in runs.items():
                stroke = _STROKES[optimizers.index(optimizer) % len(_STROKES)]
                at = np.asarray(steps, np.float64)
                later = at > 0  # the start has no place on a logarithmic axis
                shown["steps"].append(at[later])
                for axes, name, values in ((left, "m_g", embedding), (right, "m_i", inputs)):
                    line = median(drawable(np.asarray(values, np.float64)))[later]
                    axes.plot(at[later], line, color=colour, linestyle=stroke, linewidth=1.3)
                    shown[name].append(line)
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
        named = zip(networks, colours(len(networks)), strict=True)
        handles = [Line2D([], [], color=colour, label=name) for name, colour in named]
        handles += [
            Line2D([], [], color=GREY, linestyle=_STROKES[i % len(_STROKES)], label=name)
            for i, name in enumerate(optimizers)
        ]
        handles.append(Line2D([], [], color=GREY, linestyle=":", label="floor ‖P_N(a − a₀)‖"))
        figure.legend(handles=handles, loc="outside right center")
        headline(figure, left, note, title, 230.0)
        settle(figure)
        return figure


def steps_to_recover(
    labels: Sequence[str],
    steps: ArrayLike,
    *,
    axis: str,
    note: str = "",
    title: str | None = None,
) -> Figure:
    """Steps until an image is recovered, on a log scale; a line joins what is one image.

    Args:
        labels: of the K places on the axis: depths, networks.
        steps: `[K, N]`; what is not finite is not drawn.
        axis: what the places are.
        note: in small type above the panel.
        title: above the figure.

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
        headline(figure, axes, words.strip(), title, 245.0)
        settle(figure)
        return figure


def recovery_against_width(
    widths: ArrayLike,
    shares: Mapping[str, ArrayLike],
    halves: Mapping[str, Sequence[float]],
    *,
    expected: tuple[float, float] | None = None,
    note: str = "",
    title: str | None = None,
) -> Figure:
    """The share of runs that recover their image against the width, with where it is a half.

    Args:
        widths: over the number of inputs, `[K]`.
        shares: for each criterion, `[K]`.
        halves: for each criterion the width at which half recover: estimate, low, high.
        expected: where a claim has it: shaded.
        note: in small type above the panel.
        title: above the figure.

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
        headline(figure, axes, note, title, 260.0)
        settle(figure)
        return figure


def _half(axes: Axes, interval: Numbers, colour: str, height: float) -> None:
    """An interval of the width at which half recover."""
    estimate, low, high = interval
    if np.isfinite(interval).all():
        axes.hlines(height, low, high, color=colour, linewidth=1.4)
        axes.plot([estimate], [height], color=colour, marker="|", markersize=9)
