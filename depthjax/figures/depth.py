"""Quantities at every residual block of networks, with their stages marked."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from depthjax.figures.panels import faint_grid, headline, mark, separate_names, settle
from depthjax.figures.scale import log_scale
from depthjax.figures.style import AMBER, BLUE, GREEN, GREY, ORANGE, PALE, SMALL, styled
from depthjax.figures.text import short_name, short_number
from depthjax.figures.values import Numbers

_LINE_COLOURS = (GREEN, ORANGE, AMBER, GREY)


class BlockColumn(NamedTuple):
    """What is drawn of one network, in one column of panels.

    Fields:
        network: its label.
        blocks: numbers of its L blocks, from 1, ascending.
        stages: the stage of each block.
        panels: for each quantity, by the name on its axis, `[L, 3]`: estimate, low and high.
    """

    network: str
    blocks: Sequence[int]
    stages: Sequence[int]
    panels: Mapping[str, ArrayLike]


def blocks_against_depth(
    columns: Sequence[BlockColumn],
    *,
    lines: Mapping[str, Mapping[str, float]] | None = None,
    logarithmic: Collection[str] = (),
    note: str = "",
) -> Figure:
    """A row of panels for each quantity, a column for each network; every other stage is shaded.

    Values that are not finite are not drawn: a block without a point has no value.

    Args:
        columns: the networks, all with the same quantities.
        lines: for a quantity, named values to compare it with; each is a horizontal line.
        logarithmic: the quantities with a logarithmic axis.
        note: in small type below the panels.

    Raises:
        ValueError: if there is no network or no panel, or shapes do not belong together.
    """
    if not columns or not columns[0].panels:
        raise ValueError("a figure of blocks needs at least one network with one quantity")
    names = list(columns[0].panels)
    tables = [_checked(column, names) for column in columns]
    marked = {name: dict((lines or {}).get(name, {})) for name in names}
    with styled():
        widths = [max(70.0, min(17.0 * len(column.blocks), 360.0)) for column in columns]
        size = ((sum(widths) + 24 * len(columns) + 140) / 72, (125 * len(names) + 50) / 72)
        figure = Figure(figsize=size, layout="constrained")
        grid = figure.subplots(
            len(names), len(columns), sharex="col", sharey="row", squeeze=False, width_ratios=widths
        )
        marks = []
        for index, (row, name) in enumerate(zip(grid, names, strict=True)):
            for axes, column, table in zip(row, columns, tables, strict=True):
                _shade(axes, column, named=index == 0)
                _points(axes, column, table[name], positive=name in logarithmic)
            every = np.concatenate([table[name].ravel() for table in tables])
            marks.append(
                _mark_values(list(row), marked[name], every, logarithmic=name in logarithmic)
            )
            row[0].set_ylabel(name)
        for axes, column in zip(grid[-1], columns, strict=True):
            axes.set_xlabel(f"block of {short_name(column.network, 28)}")
        headline(figure, grid[0, 0], "", widths[0])
        figure.supxlabel(note, x=0.01, ha="left", fontsize=SMALL, color=GREY)
        settle(figure)
        for row, names_of_row in zip(grid, marks, strict=True):
            if names_of_row:
                separate_names(figure, row[-1], names_of_row)
        return figure


def _mark_values(
    row: Sequence[Axes], marked: Mapping[str, float], values: Numbers, *, logarithmic: bool
) -> list[Annotation]:
    """Draws the lines of a row, sets its axis, and names the lines beside the last panel."""
    shown = [
        (name, value, colour)
        for (name, value), colour in zip(marked.items(), _LINE_COLOURS, strict=False)
        if np.isfinite(value)
    ]
    for axes in row:
        for _, value, colour in shown:
            axes.axhline(value, color=colour, linewidth=0.8, zorder=1)
    every = np.concatenate([values, [value for _, value, _ in shown]])
    if logarithmic:
        log_scale(row[0], "y", every)
    else:
        _even_ticks(row[0], every)
    return [
        mark(row[-1], value, f"{name}  {short_number(value)}", colour)
        for name, value, colour in shown
    ]


def _checked(column: BlockColumn, names: Sequence[str]) -> dict[str, Numbers]:
    tables = {name: np.asarray(values, np.float64) for name, values in column.panels.items()}
    expected = (len(column.blocks), 3)
    if list(tables) != list(names) or len(column.stages) != len(column.blocks):
        raise ValueError(f"{column.network} has other quantities, or not a stage for each block")
    for name, table in tables.items():
        if table.shape != expected:
            raise ValueError(
                f"{name} of {column.network} must have shape {expected}, got {table.shape}"
            )
    return tables


def _shade(axes: Axes, column: BlockColumn, named: bool) -> None:
    """Shades every other stage, and names the stages above the panel."""
    blocks, stages = np.asarray(column.blocks), np.asarray(column.stages)
    for stage in dict.fromkeys(column.stages):
        members = blocks[stages == stage]
        low, high = members.min() - 0.5, members.max() + 0.5
        if stage % 2:
            axes.axvspan(low, high, color=PALE, alpha=0.35, linewidth=0, zorder=0)
        if named:
            axes.annotate(
                f"layer{stage}",
                ((low + high) / 2, 1.01),
                xycoords=("data", "axes fraction"),
                ha="center",
                va="bottom",
                fontsize=SMALL,
                color=GREY,
                annotation_clip=False,
            )
    axes.set_xlim(blocks.min() - 0.7, blocks.max() + 0.7)
    every = -(-len(blocks) // max(1, round(len(blocks) ** 0.5 * 2.5)))
    axes.set_xticks(blocks[::every])
    faint_grid(axes, "y")


def _points(axes: Axes, column: BlockColumn, table: Numbers, positive: bool) -> None:
    drawn = np.where(np.isfinite(table), table, np.nan)
    estimate, low, high = np.where(drawn > 0, drawn, np.nan).T if positive else drawn.T
    axes.vlines(column.blocks, low, high, color=BLUE, linewidth=1.0)
    stages = np.asarray(column.stages)
    # Lines join the blocks of one stage only, since the dimensions of others differ.
    for stage in dict.fromkeys(column.stages):
        members = stages == stage
        axes.plot(
            np.asarray(column.blocks)[members],
            estimate[members],
            color=BLUE,
            linewidth=1.2,
            marker="o",
            markersize=3.2,
        )


def _even_ticks(axes: Axes, values: Numbers) -> None:
    finite = values[np.isfinite(values)]
    if not finite.size:
        return
    low, high = float(finite.min()), float(finite.max())
    ticks = MaxNLocator(5).tick_values(low, high + 1e-9 * (low == high))
    axes.set_ylim(ticks[0], ticks[-1])
    axes.set_yticks(ticks)
