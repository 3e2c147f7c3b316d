"""The document that the rows of `tests/live/survey.py` become.

    python tests/helpers/survey_document.py

writes docs/imported_networks.md again from results/imported_networks.csv.
"""

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROWS = ROOT / "results" / "imported_networks.csv"
DOCUMENT = ROOT / "docs" / "imported_networks.md"

PINNED = ROOT / "tests" / "live"
LIBRARIES = ("torchvision", "timm")
SAMPLE = 150
"""So many networks of timm."""

GRADIENTS_UP_TO = 6_000_000
"""Parameters of networks whose gradients are compared, too."""

Row = Mapping[str, str]

HEAD = """\
# Which networks of torchvision and timm import

[depthjax](../README.md) · [all guides](../README.md#guides)

Made by `python tests/live/survey.py torchvision timm`, in the environment of `make live` (torch
{torch}, torchvision {torchvision}, timm {timm}). Of torchvision: every name of
`torchvision.models.list_models(module=torchvision.models)`. Of timm: 150 names drawn with seed 0
from `timm.list_models()`, of those with at most 100 million parameters.

Each network has random weights, running statistics that are no identity, and two random images of
the size that it expects (256 pixels where it takes any and expects more than 512). A
network *agrees* if every output of a module that is in both, and the network's own, is within 1e-4
of PyTorch's in float32, relative to its largest element. Where one is not, all are compared in
float64: within 1e-8, what differed is rounding, which the network amplifies. Gradients of the input
are compared in float64, for networks with at most {gradients} million parameters.

{summary}
"""

SECTION = """\
## {library}

| network | parameters | operations | import | modules | largest difference | gradient, float64 |
| --- | --- | --- | --- | --- | --- | --- |
{lines}
"""


def read_rows(path: Path = ROWS) -> list[Row]:
    """The rows of a survey."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def document(rows: Sequence[Row]) -> str:
    """The whole document, of the rows of all networks."""
    own = {name: [row for row in rows if _library(row) == name] for name in LIBRARIES}
    surveyed = {name: rows for name, rows in own.items() if rows}
    summary = "\n".join(_summary(*of_library) for of_library in surveyed.items())
    head = HEAD.format(summary=summary, gradients=GRADIENTS_UP_TO // 1_000_000, **_versions())
    sections = [
        SECTION.format(library=name, lines="\n".join(map(_line, rows)))
        for name, rows in surveyed.items()
    ]
    return "\n".join([head, *sections])


def _versions() -> dict[str, str]:
    """Of the packages that the networks are compared with."""
    pins = "".join(path.read_text(encoding="utf-8") for path in PINNED.glob("*.txt"))
    return dict(re.findall(r"^(torch|torchvision|timm)==(\S+)$", pins, re.MULTILINE))


def _library(row: Row) -> str:
    return row["network"].partition(":")[0]


def _summary(library: str, rows: Sequence[Row]) -> str:
    agreeing = [row for row in rows if row["outcome"] == "agrees"]
    double = sum(row["outcome"] == "agrees in float64" for row in rows)
    gradients = [float(row["gradient"]) for row in rows if row["gradient"]]
    text = (
        f"- **{library}**: {len(agreeing)} of {len(rows)} agree ({len(agreeing) / len(rows):.0%})"
    )
    text += f"; largest difference {max(float(row['largest']) for row in agreeing):.1e}"
    if library == "timm" and len(rows) < SAMPLE:
        text += f"; {SAMPLE - len(rows)} of the sample are not surveyed yet"
    if double:
        text += f"; {double} more in float64 alone"
    if gradients:
        text += f"; gradients of {len(gradients)}, largest difference {max(gradients):.1e}"
    return text + "."


def _line(row: Row) -> str:
    name, size = row["network"].partition(":")[2], f"{int(row['parameters']) / 1e6:.1f} M"
    if row["outcome"] == "not imported":  # GitHub would read these as a column and a tag
        note = row["note"].replace("|", "\\|").replace("<", "&lt;")
        return f"| {name} | {size} | not imported: {note} | | | | |"
    largest = row["largest"]
    if row["outcome"] != "agrees":
        where = row["differing"].partition(" ")[0] or "the output"
        largest = f"{largest} at {where}; {row['outcome']}"
    modules, seconds = row["modules"], f"{row['seconds']} s"
    cells = name, size, row["operations"], seconds, modules, largest, row["gradient"]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    DOCUMENT.write_text(document(read_rows()), encoding="utf-8")
