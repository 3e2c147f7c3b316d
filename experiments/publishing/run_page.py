"""The page of one run that was kept: `results/NAME/README.md`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from depthjax.claims.blocks import folded
from depthjax.claims.runs import StoredRun, judge_alone
from depthjax.claims.tables import finding_table, judgement_table
from depthjax.folders.environment import command_line, where_it_ran
from depthjax.folders.kept import missing_from
from depthjax.folders.results import read_rows
from depthjax.folders.unfinished import briefly
from depthjax.tables import markdown_table, median_and_range


def run_page(run: StoredRun) -> str:
    """Verdicts, table, pictures and findings of a run, and how it was made."""
    up = "../" * (run.name.count("/") + 1)
    environment = run.config["environment"]
    parts = [f"# {run.name}", f"[Results]({up}../RESULTS.md)"]
    parts.append(f"Made by `{command(run)}`{where_it_ran(environment, revision=True)}.")
    if missing := missing_from(run.folder):
        parts.append(f"**Not finished.** Missing: {briefly(missing)}.")
    if judged := judge_alone(run):
        parts.append(judgement_table(judged))
        parts.append(f"[What these words mean]({up}../RESULTS.md#how-to-read-this-page).")
    summary = run.folder / "summary.md"
    if summary.is_file():
        parts.append(summary.read_text(encoding="utf-8").rstrip())
    if missing:
        parts += _so_far(run)
    parts += [f"![{path.stem}]({path.name})" for path in sorted(run.folder.glob("*.webp"))]
    if run.findings:
        parts.append(folded(f"All {len(run.findings)} findings", finding_table(run.findings)))
    parts.append("The rows are in `rows.parquet`; `depthjax.folders.results.read_rows` reads them.")
    return "\n\n".join(parts) + "\n"


def _so_far(run: StoredRun) -> Iterator[str]:
    """Of a study that is not finished, medians over images of the descents that are there."""
    rows = read_rows(run.folder)
    if "descents" not in rows[0]:
        return
    cells: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        place = row["descents"], row["condition"], row["layer"]
        cells.setdefault(tuple(map(str, place)), []).append(row)
    columns = {"D": "input_ratio", "r²": "luminance_r2", "ρ": "embedding_ratio"}
    table = [
        [*place, *(median_and_range(_column(own, name)) for name in columns.values())]
        for place, own in cells.items()
    ]
    yield markdown_table(["network, seed", "condition", "layer", *columns], table)


def _column(rows: Sequence[Mapping[str, Any]], name: str) -> np.ndarray:
    return np.array([row.get(name) for row in rows], float)


def command(run: StoredRun) -> str:
    """The command of a run as one types it."""
    return command_line(run.config["environment"].get("command", []))
