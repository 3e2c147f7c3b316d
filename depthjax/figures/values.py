"""Checks labels and values, chooses those that can be drawn, and writes notes on the others."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike

from depthjax.figures.text import short_name
from depthjax.statistics import finite_median

Numbers = npt.NDArray[np.float64]


def checked_labels(labels: Sequence[str], kind: str) -> list[str]:
    """The labels, each shortened to one line.

    Raises:
        ValueError: if there is none; the message calls them `kind` labels.
    """
    if not len(labels):
        raise ValueError(f"a figure needs at least one {kind}, but there are no {kind} labels")
    return [short_name(label) for label in labels]


def checked_table(name: str, values: ArrayLike, rows: list[str], columns: list[str]) -> Numbers:
    """The values as an array `[rows, columns]`.

    Raises:
        ValueError: for another shape; the message calls the values `name`.
    """
    table = np.asarray(values, np.float64)
    if table.shape != (len(rows), len(columns)):
        raise ValueError(
            f"{len(rows)} and {len(columns)} labels, but {name} has shape {table.shape}"
        )
    return table


def is_drawable(values: Numbers) -> npt.NDArray[np.bool_]:
    """Whether each value has a place on a logarithmic axis with a zero."""
    return (values >= 0) & np.isfinite(values)


def drawable(values: Numbers) -> Numbers:
    """The values; NaN where a value cannot be drawn."""
    return np.where(is_drawable(values), values, np.nan)


def median(values: Numbers) -> Numbers:
    """The median of the drawable values of each row; NaN for a row without any."""
    return np.array([finite_median(row) for row in drawable(values)])


def strokes_note(lines: int) -> str:
    """Says what thin and thick lines are, if there is more than one thin line."""
    return "   thin: each, thick: median" if lines > 1 else ""


def missing_note(*arrays: Numbers) -> str:
    """Says how many values are not drawn; empty if all are."""
    lost = sum(int(np.count_nonzero(~is_drawable(array))) for array in arrays)
    if not lost:
        return ""
    words = f"{lost} of {sum(array.size for array in arrays)} values not finite, not drawn"
    return "   " + words.replace(" ", "\u00a0")


def displayable(pictures: np.ndarray) -> npt.NDArray[np.floating[Any]]:
    """Pictures clipped to [0, 1]; pixels that are not finite are magenta, rare in photographs."""
    lost = ~np.isfinite(pictures).all(-1, keepdims=True)
    magenta = np.array([1, 0, 1], pictures.dtype)
    return np.where(lost, magenta, np.clip(np.nan_to_num(pictures), 0, 1))
