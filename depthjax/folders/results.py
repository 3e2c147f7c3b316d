"""Folders of results that are no inversion: what was asked for, a tidy table, and findings.

config.json     what was asked for, with versions, device and git revision
results.csv     one row for each number's origin
findings.json   what the numbers say of the paper's claims
summary.md      the table to read first, where a run has one
charts.json     charts of the script's own for the page, if it has any (`depthjax.report.Chart`)
figures/        PNG and PDF
report.html     all of it on one page, from `depthjax.report`
"""

import csv
import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from depthjax.files import write_atomically
from depthjax.folders.begin import environment, is_run

_FILES = ("config.json", "results.csv", "findings.json")


@runtime_checkable
class Recorded(Protocol):
    """What describes itself as JSON takes it, such as `depthjax.claims.findings.Finding`."""

    def record(self) -> dict[str, Any]:
        """Its fields, by name."""


def checked_folder(folder: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """A folder that results can be written to; nothing is made yet.

    Args:
        folder: where.
        overwrite: older results there may be replaced.

    Raises:
        ValueError: if it holds results and `overwrite` is not set, or holds anything else.
    """
    path = Path(folder)
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return path
    if not is_run(path):
        raise ValueError(f"{str(path)!r} exists and holds other things; choose another --output")
    if not overwrite:
        raise ValueError(f"{str(path)!r} holds results; choose another --output, or --overwrite")
    return path


def write_results(
    folder: Path,
    config: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    findings: Sequence[Recorded],
    summary: str = "",
    *,
    figures: Iterable[tuple[str, Any]] = (),
) -> None:
    """Writes the files, each whole or not at all.

    Args:
        folder: from `checked_folder`.
        config: all that defines the results; it must survive JSON.
        rows: of the table, one or more, with the same columns.
        findings: what they say, in the order they are printed.
        summary: a table of the numbers, in Markdown.
        figures: names and matplotlib Figures; each is asked for after the one before is written.
    """
    text = io.StringIO()
    table = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    contents = (
        _json({**config, "environment": environment()}),
        text.getvalue(),
        _json([finding.record() for finding in findings]),
    )
    for name, content in zip(_FILES, contents, strict=True):
        write_atomically(folder / name, content.encode())
    if summary:
        write_atomically(folder / "summary.md", f"{summary}\n".encode())
    (folder / "figures").mkdir(exist_ok=True)
    for name, figure in figures:
        from depthjax.figures import save_figure  # who only reads results needs no matplotlib

        save_figure(folder / "figures" / name, figure)


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
