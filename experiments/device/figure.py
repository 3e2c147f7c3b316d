"""The measurements as a figure: a panel for each part that has a curve to show."""

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from depthjax.devices.precision import PRECISIONS
from depthjax.figures.panels import NOISY_COPY, settle
from depthjax.figures.scale import log_scale
from depthjax.figures.style import BLUE, COLOURS, DARK, ORANGE, styled

from .parts.throughput import best_speed

_PANEL = 2.9, 2.4
"""Width and height of a panel, in inches."""
Panel = Callable[[Axes], None]


def panels_of(results: dict[str, Any]) -> list[Panel]:
    """What draws each panel that there are numbers for.

    Args:
        results: the contents of `device_check.json`.
    """

    def numbers(name: str) -> dict[str, Any]:
        return results["parts"].get(name, {}).get("numbers", {})

    curves = {n: c for n, c in numbers("throughput").get("curves", {}).items() if c["points"]}
    ratios = {name: numbers("precision")[name]["ratio"] for name in _known(numbers("precision"))}
    points = numbers("memory").get("points", [])
    panels: list[Panel] = []
    if curves:
        panels.append(lambda axes: _speeds(axes, curves))
    if ratios:
        panels.append(lambda axes: _ratios(axes, ratios))
    if points:
        panels.append(lambda axes: _bytes(axes, points))
    return panels


def draw(results: dict[str, Any]) -> Figure:
    """The panels side by side.

    Raises:
        ValueError: if there is nothing to draw.
    """
    panels = panels_of(results)
    if not panels:
        raise ValueError("nothing to draw: throughput, precision and memory were not measured")
    with styled():
        size = _PANEL[0] * len(panels), _PANEL[1]
        figure = Figure(figsize=size, layout="constrained")
        for axes, panel in zip(np.ravel(figure.subplots(1, len(panels))), panels, strict=True):
            panel(axes)
        settle(figure)
        return figure


def _known(numbers: dict[str, Any]) -> list[str]:
    return [precision for precision in PRECISIONS if precision in numbers]


def _speeds(axes: Axes, curves: dict[str, Any]) -> None:
    for colour, (precision, curve) in zip(COLOURS, curves.items(), strict=False):
        batches = [point["batch"] for point in curve["points"]]
        speeds = [best_speed(point) for point in curve["points"]]
        axes.plot(batches, speeds, color=colour, marker="o", markersize=3, label=precision)
    points = [point for curve in curves.values() for point in curve["points"]]
    log_scale(axes, "x", np.array([point["batch"] for point in points], float))
    log_scale(axes, "y", np.array([best_speed(point) for point in points]))
    axes.set_xlabel("batch")
    axes.set_ylabel("images · steps a second")
    _title(axes, "more is better")
    axes.legend(loc="best")


def _ratios(axes: Axes, ratios: dict[str, list[float | None]]) -> None:
    values = np.array(list(ratios.values()), float)  # None becomes NaN: no dot
    for place, row in enumerate(values):
        axes.plot(np.full(row.shape, place), row, "o", color=BLUE, markersize=3)
    axes.axhline(1.0, **NOISY_COPY)
    axes.set_xticks(range(len(ratios)), list(ratios))
    axes.set_xlim(-0.5, len(ratios) - 0.5)
    log_scale(axes, "y", values, 1.0)
    axes.set_ylabel("ρ of each photograph")
    _title(axes, "less is better")


def _bytes(axes: Axes, points: list[dict[str, Any]]) -> None:
    batches = [point["batch"] for point in points]
    drawn = []
    for name, colour in (("predicted", BLUE), ("peak", ORANGE)):
        gigabytes = np.array([point[name] for point in points], float) / 2**30
        if np.isfinite(gigabytes).any():
            axes.plot(batches, gigabytes, color=colour, marker="o", markersize=3, label=name)
            drawn.append(gigabytes)
    log_scale(axes, "x", np.array(batches, float))
    log_scale(axes, "y", *drawn)
    axes.set_xlabel("batch")
    axes.set_ylabel("GiB of a descent")
    _title(axes, "memory")
    axes.legend(loc="best")


def _title(axes: Axes, text: str) -> None:
    axes.set_title(text, loc="left", color=DARK)
