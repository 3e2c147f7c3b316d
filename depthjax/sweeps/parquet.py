"""The Parquet file of a finished cell: its rows, and in the metadata the cell itself."""

import json
import socket
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from depthjax.errors import imported
from depthjax.files import parquet_bytes
from depthjax.sweeps.cells import Cell, cell_hash

_KEY = b"depthjax.cell"


class Result(NamedTuple):
    """What the file of a finished cell holds.

    Fields:
        table: the rows, a `pyarrow.Table`.
        seconds: that the cell took.
    """

    table: Any
    seconds: float


def encode(cell: Cell, rows: Sequence[Mapping[str, Any]], seconds: float) -> bytes:
    """The content of a cell's file, with the cell's name as the first column of its rows.

    Args:
        cell: what was computed.
        rows: numbers and strings, all rows with the same names; at least one row.
        seconds: that it took.
    """
    record = {"cell": dict(cell), "seconds": seconds, "host": socket.gethostname()}
    named = [{"cell": cell_hash(cell), **row} for row in rows]
    return parquet_bytes(named, {_KEY: json.dumps(record)})


def decode(content: bytes, name: str) -> Result:
    """The rows in the file of the cell `name`; the checksum of every page is compared.

    Raises:
        ValueError: in one line, if the file is truncated, damaged, or that of another cell.
    """
    pa = imported("pyarrow", "a sweep", "pyarrow")
    pq = imported("pyarrow.parquet", "a sweep", "pyarrow")

    try:
        # Without threads: they cost more than such a table, and may outlive the interpreter.
        file = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
        table = file.read(use_threads=False)
    except (pa.ArrowException, OSError) as error:
        kind = "empty" if not content else f"{len(content)} bytes that are no whole table"
        raise ValueError(f"{kind} ({' '.join(str(error).split())[:120]})") from error
    try:
        record = json.loads((table.schema.metadata or {})[_KEY])
        other = cell_hash(record["cell"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError("a table, but not of a cell") from error
    if other != name:
        raise ValueError(f"the result of another cell, {other}")
    return Result(table, float(record["seconds"]))
