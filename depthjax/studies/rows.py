"""Rows of a study's table, and arrays `[seeds, images]` of one of its columns."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float

Row: TypeAlias = dict[str, Any]
"""Columns by name: numbers, and what they belong to (network, layer, image, weight `seed`, …)."""


def among(rows: Sequence[Row], **place: Any) -> list[Row]:
    """The rows with these values in these columns."""
    return [row for row in rows if all(row[name] == value for name, value in place.items())]


def seed_table(
    rows: Sequence[Row],
    value: str | Callable[[Row], Any],
    *,
    column: str = "image",
    average: Callable[[list[float]], Any] = np.mean,
    **place: Any,
) -> Float[np.ndarray, "seeds images"]:
    """One number for each weight seed and image, in the order of the rows.

    Args:
        rows: of a table.
        value: the column of the number, or a function that computes it from a row.
        column: the second axis: "image", or the column of what is resampled instead of images.
        average: combines the numbers of several rows with the same seed and image.
        place: columns and their values; all other rows are ignored.

    Returns:
        float64; of shape `[0, 0]` if there is no such row.

    Raises:
        ValueError: if some seeds have fewer images than others.
    """
    number = (lambda row: row[value]) if isinstance(value, str) else value
    cells: dict[Any, dict[Any, list[float]]] = {}
    for row in among(rows, **place):
        cells.setdefault(row["seed"], {}).setdefault(row[column], []).append(number(row))
    if len({len(seed) for seed in cells.values()}) > 1:
        raise ValueError(f"not all seeds have as many of {column} at {place}")
    averages = [[average(cell) for cell in seed.values()] for seed in cells.values()]
    return np.array(averages, np.float64) if averages else np.zeros((0, 0))


def with_all_columns(rows: Sequence[Row]) -> list[Row]:
    """Rows of several kinds for one table: missing columns are empty strings."""
    columns = dict.fromkeys(name for row in rows for name in row)
    return [{name: row.get(name, "") for name in columns} for row in rows]
