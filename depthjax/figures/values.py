"""The labels and ratios handed over: checked, what of them can be drawn, and notes on them."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike

from depthjax.figures.text import short_name

Numbers = npt.NDArray[np.float64]


def checked_labels(labels: Sequence[str], kind: str) -> list[str]:
    """At least one, each short and in one line."""
    if not len(labels):
        raise ValueError(f"a figure needs at least one {kind}, but there are no {kind} labels")
    return [short_name(label) for label in labels]


def checked_table(name: str, values: ArrayLike, rows: list[str], columns: list[str]) -> Numbers:
    """`[rows, columns]`."""
    table = np.asarray(values, np.float64)
    if table.shape != (len(rows), len(columns)):
        raise ValueError(
            f"{len(rows)} and {len(columns)} labels, but {name} has shape {table.shape}"
        )
    return table


def is_drawable(values: Numbers) -> npt.NDArray[np.bool_]:
    """Whether each has a place on a log scale with zero."""
    return (values >= 0) & np.isfinite(values)


def drawable(values: Numbers) -> Numbers:
    """The values, NaN where one cannot be drawn."""
    return np.where(is_drawable(values), values, np.nan)


def median(values: Numbers) -> Numbers:
    """The median of each row's drawable values, NaN where there are none."""
    rows = [row[is_drawable(row)] for row in values]
    return np.array([np.median(row) if row.size else np.nan for row in rows])


def strokes_note(lines: int) -> str:
    """What thin and thick lines are, if there are both."""
    return "   thin: each, thick: median" if lines > 1 else ""


def missing_note(*arrays: Numbers) -> str:
    """How many values are not drawn, if any."""
    lost = sum(int(np.count_nonzero(~is_drawable(array))) for array in arrays)
    if not lost:
        return ""
    words = f"{lost} of {sum(array.size for array in arrays)} values not finite, not drawn"
    return "   " + words.replace(" ", "\u00a0")
