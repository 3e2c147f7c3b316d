"""Folders of results that are no inversion: what was asked for, a tidy table, and findings.

config.json     what was asked for, with versions, device and git revision
pieces/         finished parts of the results, so that a run that was cut off goes on after them;
arrays/         such as are images, or other arrays
results.csv     one row for each number's origin
findings.json   what the numbers say of the paper's claims
summary.md      the table to read first, where a run has one
figures/        PNG and PDF
report.html     all of it on one page, from `depthjax.report`

`begin` makes the folder and `RunFolder.piece` the pieces; all other files are made from these at
the end, every time, so none of them is ever behind.
"""

import csv
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from numpy.typing import ArrayLike

from depthjax.errors import imported
from depthjax.files import csv_bytes, json_bytes
from depthjax.folders.begin import RunFolder
from depthjax.images import save_png


def write_results(
    folder: RunFolder,
    rows: Sequence[Mapping[str, Any]],
    findings: Sequence[Any],
    summary: str = "",
    *,
    figures: Iterable[tuple[str, Any]] = (),
) -> None:
    """Writes the table, the findings and the figures, each file whole or not at all.

    Args:
        folder: that was begun.
        rows: of the table, one or more, with the same columns.
        findings: what they say (`depthjax.claims.findings.Finding`), in the order of printing.
        summary: a table of the numbers, in Markdown.
        figures: names and matplotlib Figures; each is asked for after the one before is written.
            Slashes in a name, such as those of a network's label, become underscores.

    Raises:
        ValueError: if a file cannot be written, or the folder is no longer ours.
    """
    folder.write("results.csv", csv_bytes(rows))
    folder.write("findings.json", json_bytes([finding.record() for finding in findings]))
    if summary:
        folder.write("summary.md", f"{summary}\n".encode())
    pictures = folder.subfolder("figures")
    for name, figure in figures:
        from depthjax.figures import save_figure  # who only reads results needs no matplotlib

        folder.check()
        save_figure(pictures / name.replace("/", "_"), figure)


def save_picture(folder: RunFolder, name: str, image: ArrayLike) -> None:
    """Writes an image in [0, 1] as a PNG file (`depthjax.images.save_png`).

    Args:
        folder: that was begun.
        name: path within it.
        image: `[H, W, 3]`, float.

    Raises:
        ValueError: if it cannot be written, or the folder is no longer ours.
    """
    place, base = os.path.split(name)
    save_png(folder.subfolder(place) / base, image)


def read_rows(folder: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Reads the rows of a run from its `results.csv`, so that it can be judged again.

    Numbers, `True` and `False` are converted back from text; an empty cell becomes None. Of a run
    that was kept (`depthjax.folders.kept`) the rows are in `rows.parquet`.

    Raises:
        ValueError: if there is neither file, or it cannot be read.
    """
    path = Path(folder) / "results.csv"
    if not path.is_file():
        return _parquet_rows(Path(folder) / ROWS)
    return read_csv(path)


def read_csv(path: Path) -> list[dict[str, Any]]:
    """The rows of a CSV file, converted back from text; None where a cell is empty or missing."""
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, restval="")
        rows, names = list(reader), reader.fieldnames or ()
    columns = {name: _values([row[name] for row in rows]) for name in names}
    return [{name: column[index] for name, column in columns.items()} for index in range(len(rows))]


ROWS = "rows.parquet"
"""The table of a run that was kept."""


def _parquet_rows(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        raise ValueError(f"no rows in {str(path.parent)!r}: it has no results.csv")
    pa = imported("pyarrow", repr(str(path)), "pyarrow")
    pq = imported("pyarrow.parquet", repr(str(path)), "pyarrow")

    try:
        return pq.ParquetFile(path).read(use_threads=False).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise ValueError(f"{str(path)!r} is damaged: {error}") from error


_Value: TypeAlias = bool | int | float | str | None
_WORDS: dict[str, _Value] = {"": None, "True": True, "False": False}
_BEYOND = ("nan", "inf", "-inf")
_FLOAT = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?(e[+-]?\d+)?")


def _values(texts: Sequence[str]) -> list[_Value]:
    """The cells of a column; in one that has other words, those of `_BEYOND` are words too."""
    values = [_value(text) for text in texts]
    if any(isinstance(value, str) and value not in _BEYOND for value in values):
        return values
    return [float(value) if isinstance(value, str) else value for value in values]


def _value(text: str) -> _Value:
    """A cell; what Python would not write as a number, such as the label 0001, stays text."""
    if text in _WORDS:
        return _WORDS[text]
    if not _FLOAT.fullmatch(text):
        return text
    return int(text) if text.lstrip("-").isdecimal() else float(text)
