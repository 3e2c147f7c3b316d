"""How near embeddings of various inputs are to those of the training set, against depth."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from depthjax.figures.panels import NOISY_COPY, add_legend, faint_grid, name_layers
from depthjax.figures.scale import log_scale
from depthjax.figures.style import SMALL, network_colours, styled
from depthjax.figures.text import short_name, widest
from depthjax.figures.values import (
    Numbers,
    checked_labels,
    drawable,
    median,
    missing_note,
    strokes_note,
)

Panel = Mapping[str, ArrayLike]
"""The ratios of each network, `[L, seeds]`."""


def nearness_against_depth(
    layer_labels: Sequence[str],
    ratios: Mapping[str, Mapping[str, Panel]],
) -> Figure:
    """Distances to training examples: a row of panels for each statistic, a column for each input.

    They are in units of the median distance of two training examples, which is dashed.

    Args:
        layer_labels: names of the L layers, shallow to deep.
        ratios: `ratios[row][column][network]` is `[L, seeds]`, drawn on a logarithmic axis. A row
            may lack columns that another row has.

    Raises:
        ValueError: if there is nothing to draw, or an array does not have L rows.
    """
    layers = checked_labels(layer_labels, "layer")
    rows = {
        row: {
            column: {name: _checked(name, values, layers) for name, values in panel.items()}
            for column, panel in panels.items()
        }
        for row, panels in ratios.items()
    }
    columns = list(dict.fromkeys(column for panels in rows.values() for column in panels))
    drawn = [panel for panels in rows.values() for panel in panels.values()]
    every = [values for panel in drawn for values in panel.values()]
    if not every:
        raise ValueError("there are no ratios to draw; give a row, a column and a network at least")
    networks = list(dict.fromkeys(name for panel in drawn for name in panel))
    colour_of = dict(zip(networks, network_colours(networks), strict=True))
    with styled():
        figure, grid = _grid(layers, len(rows), len(columns))
        for line, (row, panels) in zip(grid, rows.items(), strict=True):
            known = [values for panel in panels.values() for values in panel.values()]
            for axes, column in zip(line, columns, strict=True):
                if column not in panels:
                    axes.set_axis_off()
                    continue
                axes.axhline(1.0, **NOISY_COPY)
                for name, values in panels[column].items():
                    _lines(axes, values, colour_of[name])
                axes.set_title(short_name(column))
                log_scale(axes, "y", *known, 1.0)
            line[0].set_ylabel(row)
        seeds = max(values.shape[1] for values in every)
        note = "1: median distance of two training examples (dashed)"
        note += f"   n = {seeds} {'seeds' if seeds > 1 else 'seed'}"
        note += strokes_note(seeds) + missing_note(*every)
        handles = [
            Line2D([], [], color=colour_of[name], label=short_name(name)) for name in networks
        ]
        add_legend(figure, handles, note)
        return figure


def _checked(name: str, values: ArrayLike, layers: list[str]) -> Numbers:
    array = np.asarray(values, np.float64)
    if array.ndim != 2 or len(array) != len(layers) or not array.size:
        raise ValueError(
            f"{len(layers)} layer labels, but the ratios of {name} have shape {array.shape}; give"
            " [layers, seeds]"
        )
    return array


def _grid(layers: list[str], rows: int, columns: int) -> tuple[Figure, list[list[Axes]]]:
    width = float(np.clip(20 * len(layers), 105, 300))
    upright = widest(layers, SMALL) + 4 > width / len(layers)
    figure = Figure(
        figsize=(
            (columns * (width + 14) + 70) / 72,
            (rows * 120 + (widest(layers, SMALL) if upright else SMALL) + 75) / 72,
        ),
        layout="constrained",
    )
    grid = figure.subplots(rows, columns, sharex=True, sharey="row", squeeze=False)
    for axes in grid.flat:
        name_layers(axes, layers, upright=upright)
        faint_grid(axes, "x")
        axes.set_xlim(-0.4, len(layers) - 0.6)
    return figure, [list(line) for line in grid]


def _lines(axes: Axes, values: Numbers, colour: str) -> None:
    """Draws a thin line for each seed, and their median."""
    lines, depth = drawable(values), np.arange(len(values))
    if lines.shape[1] > 1:
        axes.plot(depth, lines, color=colour, alpha=0.5, linewidth=0.6)
    axes.plot(depth, median(lines), color=colour, linewidth=1.6, marker="o", markersize=2.6)
