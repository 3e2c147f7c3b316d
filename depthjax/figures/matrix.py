"""ρ of the images recovered from one layer, measured at every other layer."""

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from depthjax.figures.panels import name_layers
from depthjax.figures.scale import log_ticks
from depthjax.figures.style import BODY, DARK, EDGE, GREY, PALE, SMALL, TITLE, styled
from depthjax.figures.text import short_number, tallest, widest, wrapped, wrapped_title
from depthjax.figures.values import Numbers, checked_labels, checked_table
from depthjax.images.luminance import luminance

_WRITTEN_MOST = 14
"""Up to so many columns, the values stand in the cells."""


def ratio_matrix(
    layer_labels_rows: Sequence[str],
    layer_labels_columns: Sequence[str],
    ratio: ArrayLike,
    *,
    title: str | None = None,
) -> Figure:
    """Median ρ of the images recovered from one layer, measured at another, as a heat map.

    The scale of colours is logarithmic, with ρ = 1 (the noisy copy) in the middle: blue is nearer,
    red is farther, grey was not measured. With at most 14 columns, values stand in the cells.

    Args:
        layer_labels_rows: names of the L layers inverted, shallow to deep.
        layer_labels_columns: names of the M layers measured at, shallow to deep.
        ratio: `[L, M]`.
        title: above the figure.

    Raises:
        ValueError: if shapes do not belong together.
    """
    rows = checked_labels(layer_labels_rows, "row")
    columns = checked_labels(layer_labels_columns, "column")
    values = checked_table("ratio", ratio, rows, columns)
    with styled():
        return _sheet(rows, columns, np.where(values >= 0, values, np.nan), title)


def _sheet(rows: list[str], columns: list[str], values: Numbers, title: str | None) -> Figure:
    """Draws the matrix; the layout is in points, so that the numbers fit into the cells."""
    written = len(columns) <= _WRITTEN_MOST
    numbers = [[short_number(value) for value in row] for row in values]
    cell = float(np.clip(480 / len(columns), 9, 13))
    if written:
        cell = max(28.0, widest((text for row in numbers for text in row), SMALL) + 6)
    # A matrix of few cells must leave room for the labels of the axes and for the colour bar.
    wide = max(cell, 100 / len(columns))
    high = max(min(cell, 480 / len(rows)), 13.0, 110 / len(rows))
    upright = widest(columns, SMALL) + 4 > wide
    below = widest(columns, SMALL) if upright else SMALL
    left = EDGE + 2 * BODY + widest(rows, SMALL) + 6
    width = left + wide * len(columns) + 105
    text = wrapped_title(title, width)
    note = wrapped(_note(rows, columns, values), width - 2 * EDGE, SMALL)
    top = EDGE + tallest([text], TITLE) + tallest([note], SMALL) + 6
    height = top + high * len(rows) + below + 2 * BODY + 4 + EDGE

    figure = Figure(figsize=(width / 72, height / 72))
    axes = _axes_at(figure, left, top, wide * len(columns), high * len(rows))
    mesh = _heat(axes, values)
    if written:
        _write_numbers(axes, mesh, numbers)
    _outline_same(axes, rows, columns)
    name_layers(axes, columns, upright=upright)
    axes.set_yticks(range(len(rows)), rows, parse_math=False)
    axes.tick_params(length=0)
    axes.set(xlabel="measured at", ylabel="image recovered from")
    tall = min(high * len(rows), 240.0)
    beside = _axes_at(figure, left + wide * len(columns) + 14, top, 9.0, tall)
    _ratio_bar(figure, mesh, beside, values)
    figure.text(EDGE / width, 1 - EDGE / height, text, va="top", fontsize=TITLE)
    at = 1 - (top - 5) / height
    figure.text(EDGE / width, at, note, va="bottom", fontsize=SMALL, color=GREY)
    # Matplotlib makes ticks when it first draws them; that has to happen within our style.
    figure.draw_without_rendering()
    return figure


def _note(rows: list[str], columns: list[str], values: Numbers) -> str:
    parts = []
    if set(rows) & set(columns):
        parts.append("Outlined: measured where the image was recovered from.")
    if np.isnan(values).any():
        parts.append("Grey: no value.")
    return " ".join(parts)


def _axes_at(figure: Figure, x: float, y: float, width: float, height: float) -> Axes:
    """Axes at a place given in points from the top left corner."""
    across, along = figure.get_size_inches() * 72
    return figure.add_axes((x / across, 1 - (y + height) / along, width / across, height / along))


def _heat(axes: Axes, values: Numbers) -> QuadMesh:
    """Draws the cells: white at 1, with the same range on both sides of it."""
    known = values[np.isfinite(values) & (values > 0)]
    reach = np.abs(np.log10(known)).max() if known.size else 1.0
    # At most three decades on each side; with more, values near 1 would look alike.
    span = float(10 ** np.clip(reach, np.log10(2), 3))
    mesh = axes.pcolormesh(
        np.arange(values.shape[1] + 1) - 0.5,
        np.arange(values.shape[0] + 1) - 0.5,
        np.ma.masked_invalid(np.clip(values, 1 / span, span)),
        norm=LogNorm(1 / span, span),
        cmap=matplotlib.colormaps["RdBu_r"].with_extremes(bad=PALE),
        edgecolors="white",
        linewidth=0.5,
    )
    axes.invert_yaxis()
    axes.spines[:].set_visible(False)
    return mesh


def _write_numbers(axes: Axes, mesh: QuadMesh, numbers: list[list[str]]) -> None:
    mesh.update_scalarmappable()
    colours = np.asarray(mesh.get_facecolor()).reshape(len(numbers), len(numbers[0]), 4)
    for row, texts in enumerate(numbers):
        for column, text in enumerate(texts):
            bright = luminance(colours[row, column, :3])
            colour = "white" if bright < 0.5 else DARK
            axes.text(column, row, text, ha="center", va="center", fontsize=SMALL, color=colour)


def _outline_same(axes: Axes, rows: list[str], columns: list[str]) -> None:
    for row, name in enumerate(rows):
        for column, other in enumerate(columns):
            if name == other:
                corner = (column - 0.5, row - 0.5)
                axes.add_patch(
                    Rectangle(corner, 1, 1, fill=False, edgecolor=DARK, linewidth=1, clip_on=False)
                )


def _ratio_bar(figure: Figure, mesh: QuadMesh, beside: Axes, values: Numbers) -> None:
    """Draws the colour bar; an end is pointed if there are values beyond it."""
    low, high = mesh.get_clim()
    beyond = (bool((values < low).any()), bool((values > high).any()))
    pointed = {(False, False): "neither", (True, False): "min", (False, True): "max"}
    bar = figure.colorbar(mesh, cax=beside, extend=pointed.get(beyond, "both"))
    ticks = log_ticks(low, high)
    bar.set_ticks(
        ticks, labels=["1 noisy copy" if tick == 1 else short_number(tick) for tick in ticks]
    )
    bar.minorticks_off()
    bar.outline.set_visible(False)
    bar.set_label("median embedding ratio ρ")
