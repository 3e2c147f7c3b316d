"""The singular values of layers' Jacobians, and how a layer maps a small ball of inputs."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import ArrayLike

from depthjax.figures.panels import add_legend, faint_grid
from depthjax.figures.scale import log_scale
from depthjax.figures.style import BODY, GREY, network_colours, styled
from depthjax.figures.text import short_name
from depthjax.figures.values import checked_labels

_PANEL = 150.0
_FLOOR = 1e-12
"""σ / σ₁ below which values are rounding errors."""

Curve = Sequence[ArrayLike]
"""σ / σ₁, and the least and the largest number of singular values above it; `[points]` each. What a
`SpectralCurve` says beside these is not drawn."""


def singular_value_curves(
    layer_labels: Sequence[str],
    curves: Mapping[str, Sequence[Sequence[Curve]]],
    inputs: int,
    *,
    note: str = "",
) -> Figure:
    """How many singular values lie above each fraction of the largest: a panel for each layer.

    Args:
        layer_labels: names of the L layers, shallow to deep.
        curves: `curves[network][layer]` has a curve for each image or seed. The area between the
            least and the largest number is filled.
        inputs: the number n of inputs, marked by a line.
        note: above the legend.

    Raises:
        ValueError: if there is no network, or a network does not have a list for each layer.
    """
    layers = checked_labels(layer_labels, "layer")
    _check(curves, layers)
    levels = [
        np.asarray(curve[0], np.float64)
        for network in curves.values()
        for layer in network
        for curve in layer
    ]
    with styled():
        figure, grid = _grid(len(layers))
        for panel, (axes, name) in enumerate(zip(grid, layers, strict=False)):
            axes.axvline(inputs, color=GREY, linewidth=0.8, linestyle=(0, (4, 2)))
            for colour, network in zip(network_colours(list(curves)), curves.values(), strict=True):
                for curve in network[panel]:
                    _curve(axes, curve, colour)
            axes.set_title(name)
            log_scale(axes, "x", 1.0, float(inputs))
            log_scale(axes, "y", *(level[level > _FLOOR] for level in levels))
            faint_grid(axes)
        _label(figure, grid, len(layers), "number of singular values above", "σ / σ₁")
        number = f"inputs n = {inputs:,}"
        line = Line2D([], [], color=GREY, linewidth=0.8, linestyle=(0, (4, 2)), label=number)
        _add_legend(figure, list(curves), [line], note)
        return figure


def _curve(axes: Axes, curve: Curve, colour: str) -> None:
    levels, low, high = (np.asarray(part, np.float64) for part in curve[:3])
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
) -> Figure:
    """The image of a small circle of inputs under each layer: a panel for each layer.

    The circle lies in the plane of the most stretched direction and a random one. If its image is
    round, the layer responds to both alike; if it is a needle, only to the first. Where the layer
    is not linear, the points leave the line.

    Args:
        layer_labels: names of the L layers, shallow to deep.
        sections: `sections[network][layer]` is `(linear, measured)`, each `[points, 2]`: changes of
            the embedding, divided by σ₁ times the radius, along the image of the first direction
            and across it.
        note: above the legend.

    Raises:
        ValueError: if there is no network, or a network does not have a section for each layer.
    """
    layers = checked_labels(layer_labels, "layer")
    _check(sections, layers)
    with styled():
        figure, grid = _grid(len(layers))
        for panel, (axes, name) in enumerate(zip(grid, layers, strict=False)):
            for colour, network in zip(
                network_colours(list(sections)), sections.values(), strict=True
            ):
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
        strokes = [
            Line2D([], [], color=GREY, linewidth=0.9, label="Jacobian"),
            Line2D([], [], color=GREY, marker="o", markersize=1.6, linewidth=0, label="measured"),
        ]
        _add_legend(figure, list(sections), strokes, note)
        return figure


def _check(networks: Mapping[str, Sequence[object]], layers: list[str]) -> None:
    if not networks:
        raise ValueError("there is no network to draw; give one at least")
    for name, per_layer in networks.items():
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
    for axes in grid[:panels]:  # also above a place without a panel
        axes.tick_params(labelbottom=True)


def _add_legend(figure: Figure, networks: list[str], strokes: list[Line2D], note: str) -> None:
    """The networks by their colours, and what the strokes mean."""
    patches = [
        Patch(color=colour, label=short_name(name))
        for name, colour in zip(networks, network_colours(networks), strict=True)
    ]
    handles = [*patches, *strokes]
    columns = min(4, len(handles))
    add_legend(figure, handles, note, place="outside upper left", columns=columns)
