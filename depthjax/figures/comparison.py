"""Quantities of several networks, side by side at every layer."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from depthjax.figures.panels import faint_grid, headline, name_layers, settle
from depthjax.figures.scale import at_the_edge, edge_note, log_scale
from depthjax.figures.style import LINE, SMALL, network_colours, styled
from depthjax.figures.text import widest
from depthjax.figures.values import Numbers, checked_labels

_MANY = 6
"""So many panels stand in two columns."""
_MARKERS = "osD^vP"


def networks_against_depth(
    network_labels: Sequence[str],
    layer_labels: Sequence[str],
    panels: Mapping[str, ArrayLike],
    *,
    logarithmic: Collection[str] = (),
    at_edge: Collection[str] = (),
    note: str = "",
    title: str | None = None,
) -> Figure:
    """Quantities of every network against depth with their intervals, a panel for each quantity.

    Values that are not finite are not drawn: a layer without a point has no value.

    Args:
        network_labels: names of the N networks.
        layer_labels: names of the L layers, shallow to deep.
        panels: for each quantity, by the name on its axis, `[N, L, 3]`: estimate, low and high.
        logarithmic: the quantities with a logarithmic axis.
        at_edge: those of them whose lowest values are drawn at the edge of four decades.
        note: in small type above the first panel.
        title: above the figure.

    Raises:
        ValueError: if shapes do not belong together, or there is no panel.
    """
    networks = checked_labels(network_labels, "network")
    layers = checked_labels(layer_labels, "layer")
    tables = {name: np.asarray(values, np.float64) for name, values in panels.items()}
    expected = (len(networks), len(layers), 3)
    for name, table in tables.items():
        if table.shape != expected:
            raise ValueError(f"{name} must have shape {expected}, got {table.shape}")
    drawn = {
        name: at_the_edge(table) if name in at_edge else table for name, table in tables.items()
    }
    note += edge_note(*((tables[name], drawn[name]) for name in tables))
    if not tables:
        raise ValueError("a figure of networks needs at least one panel, but there are none")
    with styled():
        width = float(np.clip(34 * len(layers), 250, 720))
        turned = widest(layers, SMALL) + 6 > width / len(layers)
        below = widest(layers, SMALL) if turned else SMALL * LINE
        columns = 1 if len(tables) < _MANY else 2
        rows = -(-len(tables) // columns)
        beside = (columns - 1) * (width + 50)
        size = ((width + beside + 110) / 72, (115 * rows + below + 50) / 72)
        figure = Figure(figsize=size, layout="constrained")
        grid = figure.subplots(rows, columns, sharex=True, squeeze=False)
        # Down the first column, then down the second.
        panels_in_order: list[Axes] = list(grid.T.ravel())
        for axes, (name, table) in zip(panels_in_order, drawn.items(), strict=False):
            _panel(axes, networks, table, name in logarithmic)
            axes.set_ylabel(name)
        for axes in panels_in_order[len(tables) :]:
            axes.remove()
        for column in range(columns):
            last = panels_in_order[min((column + 1) * rows, len(tables)) - 1]
            last.tick_params(labelbottom=True)  # also above a place without a panel
            name_layers(last, layers, upright=turned)
            last.set_xlim(-0.6, len(layers) - 0.4)
            last.set_xlabel("layer, shallow to deep")
        handles, names = panels_in_order[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside right upper")
        headline(figure, panels_in_order[0], note, width, title)
        settle(figure)
        return figure


def _panel(axes: Axes, networks: list[str], table: Numbers, logarithmic: bool) -> None:
    depth = np.arange(table.shape[1])
    drawn = np.where(np.isfinite(table), table, np.nan)
    if logarithmic:
        drawn = np.where(drawn > 0, drawn, np.nan)
    # Intervals of several networks at one layer stand beside each other.
    places = (np.arange(len(networks)) - (len(networks) - 1) / 2) * min(0.14, 0.6 / len(networks))
    each = zip(networks, places, network_colours(networks), strict=True)
    for index, (name, place, colour) in enumerate(each):
        estimate, low, high = drawn[index].T
        axes.vlines(depth + place, low, high, color=colour, linewidth=1.0)
        axes.plot(
            depth + place,
            estimate,
            color=colour,
            label=name,
            linewidth=1.0,
            marker=_MARKERS[index % len(_MARKERS)],
            markersize=3.5,
        )
    if logarithmic:
        log_scale(axes, "y", drawn)
    else:
        low, high = axes.get_ylim()
        ticks = MaxNLocator(5).tick_values(low, high)
        axes.set_ylim(low, high)
        axes.set_yticks([tick for tick in ticks if low <= tick <= high])
    faint_grid(axes)
