"""The singular values of layers, and how a small ball of inputs is mapped."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import ArrayLike

from depthjax.figures.panels import faint_grid, settle
from depthjax.figures.scale import log_scale
from depthjax.figures.style import BODY, EDGE, GREY, TITLE, colours, styled
from depthjax.figures.text import short_name, wrapped, wrapped_title
from depthjax.figures.values import checked_labels

_PANEL = 150.0
_FLOOR = 1e-12
"""σ / σ₁ below which rounding is all that there is to see."""

Curve = Sequence[ArrayLike]
"""σ / σ₁, `[points]`, and how many singular values lie above it at least and at most."""


def singular_value_curves(
    layer_labels: Sequence[str],
    curves: Mapping[str, Sequence[Sequence[Curve]]],
    inputs: int,
    *,
    note: str = "",
    title: str | None = None,
) -> Figure:
    """How many singular values lie above each fraction of the largest: a panel for each layer.

    Args:
        layer_labels: names of the L layers, shallow to deep.
        curves: `curves[network][layer]` holds a curve for each image or seed. Where both counts
            differ, what lies between them is filled.
        inputs: n; a line marks it.
        note: in small type below.
        title: above the figure.

    Raises:
        ValueError: for no network, or one that does not have a list for each layer.
    """
    layers = checked_labels(layer_labels, "layer")
    _check(curves, layers)
    every = [
        tuple(np.asarray(part, np.float64) for part in curve)
        for network in curves.values()
        for layer in network
        for curve in layer
    ]
    with styled():
        figure, grid = _grid(len(layers))
        for panel, (axes, name) in enumerate(zip(grid, layers, strict=False)):
            axes.axvline(inputs, color=GREY, linewidth=0.8, linestyle=(0, (4, 2)))
            for colour, network in zip(colours(len(curves)), curves.values(), strict=True):
                for curve in network[panel]:
                    _curve(axes, curve, colour)
            axes.set_title(name)
            log_scale(axes, "x", 1.0, float(inputs))
            log_scale(axes, "y", *(levels[levels > _FLOOR] for levels, _, _ in every))
            faint_grid(axes)
        _label(figure, grid, len(layers), "number of singular values above", "σ / σ₁")
        names = [*curves, f"inputs n = {inputs:,}"]
        handles = [
            *(Patch(color=colour) for colour in colours(len(curves))),
            Line2D([], [], color=GREY, linewidth=0.8, linestyle=(0, (4, 2))),
        ]
        _finish(figure, handles, names, note, title)
        return figure


def _curve(axes: Axes, curve: Curve, colour: str) -> None:
    levels, low, high = (np.asarray(part, np.float64) for part in curve)
    drawn = levels > _FLOOR
    levels, low, high = levels[drawn], low[drawn], high[drawn]
    if (high > low).any():
        axes.fill_betweenx(levels, np.maximum(low, 0.5), high, color=colour, alpha=0.2, linewidth=0)
    axes.plot(np.maximum((low + high) / 2, 0.5), levels, color=colour, linewidth=0.9)


def ball_sections(
    layer_labels: Sequence[str],
    sections: Mapping[str, Sequence[Sequence[ArrayLike]]],
    *,
    note: str = "",
    title: str | None = None,
) -> Figure:
    """What becomes of a small circle of inputs, a panel for each layer.

    The circle lies in the plane of the most stretched direction and a random one. A round figure is
    a layer that hears both alike; a needle one that hears but the first. Where the layer is not
    linear, points leave the line.

    Args:
        layer_labels: names of the L layers, shallow to deep.
        sections: `sections[network][layer]` is `(linear, measured)`, each `[points, 2]`: changes of
            the embedding over σ₁ times the radius, along the image of the first direction and
            across it.
        note: in small type below.
        title: above the figure.

    Raises:
        ValueError: for no network, or one that does not have a section for each layer.
    """
    layers = checked_labels(layer_labels, "layer")
    _check(sections, layers)
    with styled():
        figure, grid = _grid(len(layers))
        for panel, (axes, name) in enumerate(zip(grid, layers, strict=False)):
            for colour, network in zip(colours(len(sections)), sections.values(), strict=True):
                linear, measured = (np.asarray(part, np.float64) for part in network[panel])
                closed = np.concatenate([linear, linear[:1]])
                axes.plot(*closed.T, color=colour, linewidth=0.9)
                axes.plot(*measured.T, "o", color=colour, markersize=1.6)
            reach = 1.15
            axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", title=name)
            axes.set_xticks([-1, 0, 1])
            axes.set_yticks([-1, 0, 1])
            faint_grid(axes)
        _label(figure, grid, len(layers), "along the first left singular vector", "across it")
        handles = [
            *(Patch(color=colour) for colour in colours(len(sections))),
            Line2D([], [], color=GREY, linewidth=0.9),
            Line2D([], [], color=GREY, marker="o", markersize=1.6, linewidth=0),
        ]
        names = [*sections, "Jacobian", "measured"]
        _finish(figure, handles, names, note, title)
        return figure


def _check(found: Mapping[str, Sequence[object]], layers: list[str]) -> None:
    if not found:
        raise ValueError("there is no network to draw; give one at least")
    for name, per_layer in found.items():
        if len(per_layer) != len(layers):
            raise ValueError(f"{len(layers)} layer labels, but {name} has {len(per_layer)} layers")


def _grid(panels: int) -> tuple[Figure, list[Axes]]:
    columns = panels if panels <= 5 else 4
    rows = -(-panels // columns)
    size = ((columns * _PANEL + 60) / 72, (rows * _PANEL + 70) / 72)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes in grid[panels:]:
        axes.set_axis_off()
    return figure, list(grid)


def _label(figure: Figure, grid: list[Axes], panels: int, below: str, beside: str) -> None:
    figure.supxlabel(below, fontsize=BODY)
    figure.supylabel(beside, fontsize=BODY)
    for axes in grid[:panels]:
        axes.tick_params(labelbottom=True)


def _finish(
    figure: Figure, handles: Sequence[object], names: list[str], note: str, title: str | None
) -> None:
    page = figure.get_figwidth() * 72
    figure.legend(
        handles=list(handles),
        labels=[short_name(name) for name in names],
        loc="outside upper left",
        ncols=min(4, len(names)),
        title=wrapped(note, page - 2 * EDGE, BODY) if note else None,
        alignment="left",
    )
    if title is not None:
        figure.suptitle(wrapped_title(title, page), x=EDGE / page, ha="left", fontsize=TITLE)
    settle(figure)
