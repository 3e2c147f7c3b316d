"""Cells, and the name of a cell."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, TypeAlias

Cell: TypeAlias = Mapping[str, Any]
"""Everything that a result depends on, as plain JSON: equal cells have the same result."""


def cell_hash(cell: Cell) -> str:
    """The name of a cell: 32 hexadecimal digits of the SHA-256 of its JSON, keys sorted.

    Raises:
        ValueError: for a cell that is not plain JSON.
    """
    try:
        text = json.dumps(cell, sort_keys=True, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise ValueError(f"a cell must be plain JSON ({error}), got {cell!r}") from error
    return hashlib.sha256(text.encode()).hexdigest()[:32]
