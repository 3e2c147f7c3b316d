"""Numbers as text, and aligned tables that are Markdown too."""

from collections.abc import Sequence

import numpy as np


def markdown_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """An aligned Markdown table: the first column to the left, the others to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(headers, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        first, *rest = zip(cells, widths, strict=True)
        padded = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)]
        return f"| {' | '.join(padded)} |"

    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join([line(headers), f"| {' | '.join(rule)} |", *map(line, rows)])


def median_and_range(values: np.ndarray) -> str:
    """The median, with the smallest and largest where there are several: `0.52 (0.31–0.7)`.

    Where some values do not exist, it says how many do: `3.5 [1 of 3]`.
    """
    given = np.asarray(values, float).ravel()
    finite = given[np.isfinite(given)]
    if not finite.size:
        return "–"
    text = number(np.median(finite))
    if finite.size > 1:
        text += f" ({number(finite.min())}–{number(finite.max())})"
    if finite.size < given.size:
        text += f" [{finite.size} of {given.size}]"
    return text


def number(value: float) -> str:
    """Three significant digits at most."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
