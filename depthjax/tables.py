"""Numbers as text, and aligned tables in Markdown."""

from collections.abc import Callable, Sequence

import numpy as np


def markdown_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table with aligned columns: the first to the left, the others to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(headers, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        first, *rest = zip(cells, widths, strict=True)
        padded = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)]
        return f"| {' | '.join(padded)} |"

    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join([line(headers), f"| {' | '.join(rule)} |", *map(line, rows)])


def number(value: float | int) -> str:
    """At most three significant digits, as tables have them: 0.52, 12.3, 12345, 1.5e-06; – for NaN.

    Labels of figures are shorter: `depthjax.figures.text.short_number`.
    """
    if np.isnan(value):
        return "–"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def share(value: float) -> str:
    """A number from 0 to 1 with at most three decimals: 0.113, 0.005, 0; – for NaN."""
    return "–" if np.isnan(value) else f"{round(float(value), 3):g}"


def median_and_range(values: np.ndarray, text_of: Callable[[float], str] = number) -> str:
    """The median of some values, and their range if there are several: `0.52 (0.31–0.7)`.

    If some values are not finite, the text says how many are: `3.5 [1 of 3]`.

    Args:
        values: of any shape.
        text_of: how a value is written, `number` or `share`.
    """
    given = np.asarray(values, float).ravel()
    finite = given[np.isfinite(given)]
    if not finite.size:
        return "–"
    text = text_of(np.median(finite))
    if finite.size > 1:
        text += f" ({text_of(finite.min())}–{text_of(finite.max())})"
    if finite.size < given.size:
        text += f" [{finite.size} of {given.size}]"
    return text
