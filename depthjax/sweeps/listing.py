"""The list of networks of a sweep, from a table."""

import csv
import json
import os
from pathlib import Path

from depthjax.errors import one_of, require

COLUMNS = ("model", "model_field", "networks", "seeds", "layers", "images", "size", "group_size")
"""What a row may say; each is a flag of `experiments/sweep.py`, too."""
_WHOLE_NUMBERS = ("size", "group_size")


def read_table(path: str | os.PathLike[str]) -> list[dict[str, str]]:
    """The rows of a CSV file, or of a JSON file that holds a list of objects.

    Returns:
        For each row the columns that are not empty, as text.

    Raises:
        ValueError: for a file that does not exist or is no table, for unknown columns, and for a
            size that is no whole number.
    """
    file = Path(path)
    if not file.is_file():
        raise ValueError(f"no table {str(file)!r}; --table is a CSV or JSON file")
    try:
        text = file.read_text(encoding="utf-8-sig")  # spreadsheets begin it with a mark
        is_json = file.suffix == ".json"
        rows = json.loads(text) if is_json else list(csv.DictReader(text.splitlines()))
        for number, row in enumerate(rows, 1):
            if None in row:
                raise ValueError(f"row {number} has more cells than there are columns")
        rows = [{name: str(v) for name, v in row.items() if v not in ("", None)} for row in rows]
    except (OSError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"{str(file)!r} is no table: {error}") from error
    for name in {name for row in rows for name in row}:
        one_of(f"column in {file.name}", name, COLUMNS)
    for row in rows:
        for name in row.keys() & _WHOLE_NUMBERS:
            whole = row[name].strip().isdecimal() and int(row[name]) > 0
            require(whole, f"{name} in {file.name}", row[name], "a whole number of at least 1")
    return rows
