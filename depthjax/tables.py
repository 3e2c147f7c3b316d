"""Numbers as text, and aligned tables in Markdown."""

from collections.abc import Callable, Sequence

import numpy as np


def markdown_table(headers: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """A Markdown table with aligned columns: the first to the left, the others to the right.

    Args:
        headers: of the columns.
        rows: their cells.
        left: how many columns are to the left.
    """
    # The rule of a column takes two letters at least, `-:`; a colon alone makes no table.
    columns = zip(headers, *rows, strict=True)
    widths = [max(2, *(len(cell) for cell in column)) for column in columns]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    rule = ["-" * width for width in widths[:left]]
    rule += ["-" * (width - 1) + ":" for width in widths[left:]]
    return "\n".join([line(headers), f"| {' | '.join(rule)} |", *map(line, rows)])


def number(value: float | int) -> str:
    """At most three significant digits, as tables have them: 0.52, 12.3, 12345, 1.5e-06; – for NaN.

    Labels of figures are shorter: `depthjax.figures.text.short_number`.
    """
    if np.isnan(value):
        return "–"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def interval_words(estimate: float | int, low: float | int, high: float | int) -> str:
    """A number before its interval: `0.2 [0.1, 0.3]`; without one the number alone.

    Where one of them has six digits before its point, each has one significant digit:
    `3·10⁶ [3·10⁵, 3·10⁷]`.

    Args:
        estimate: the number; NaN if there is none.
        low, high: the ends of the interval; NaN if there is none.
    """
    values = [estimate] if np.isnan(low) else [estimate, low, high]
    text_of = _in_powers if np.nanmax(np.abs([*values, 0.0])) >= _MANY else number
    first, *ends = map(text_of, values)
    return f"{first} [{', '.join(ends)}]" if ends else first


_MANY = 1e5
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def _in_powers(value: float | int) -> str:
    """From a thousand on one digit and a power of ten."""
    if not abs(value) >= 1000:
        return number(value)
    digit, _, power = f"{value:.0e}".partition("e+")
    return f"{digit}·10{str(int(power)).translate(_RAISED)}"


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
