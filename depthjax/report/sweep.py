"""What a page shows of a sweep, also before it is finished: its state, charts and numbers."""

import json
import shlex
from pathlib import Path

from depthjax.report import tabular
from depthjax.report.contents import Section
from depthjax.sweeps import SweepFolder
from depthjax.sweeps.tables import by_architecture

_QUANTITIES = (
    ("input_ratio", "D"),
    ("luminance_r2", "r²"),
    ("embedding_ratio", "ρ"),
    ("input_ratio_at_0.3", "D at ρ = 0.3"),
    ("input_ratio_at_0.1", "D at ρ = 0.1"),
)
_ABOUT_THE_RUN = ["cell", "devices", "per_device"]
"""Columns about how a number was computed; tables on the page leave them out."""


def is_sweep(folder: Path) -> bool:
    """Whether a folder is that of a sweep."""
    return (folder / "sweep.json").is_file()


def sweep_section(folder: Path) -> Section:
    """The section of a sweep (`experiments/sweep.py`).

    Raises:
        ValueError: if the list of cells or a result is damaged.
    """
    place = SweepFolder(folder)
    cells, status = place.cells(), place.status()
    rows = place.table().drop_columns(_ABOUT_THE_RUN).to_pylist() if status.done else []
    groups = by_architecture(rows)
    # What their titles have more than those of a single architecture.
    rows_of = {f", {name}" if len(groups) > 1 else "": own for name, own in groups.items()}
    charts = [
        chart
        for name, own in rows_of.items()
        for chart in tabular.depth_charts(
            own,
            [(quantity, {}, title + name) for quantity, title in _QUANTITIES],
            seeds="seed",
        )
    ]
    states = {
        "running": len(status.running),
        "failed": len(status.failed),
        "waiting": len(status.waiting),
    }
    left = "".join(f", {count} {state}" for state, count in states.items() if count)
    return Section(
        title=folder.resolve().name,
        kind="a sweep of many inversions",
        command=shlex.join(["python", "experiments/sweep.py", f"--output={folder}", "--status"]),
        facts=[
            ("cells", f"{len(status.done)} of {len(cells)} done{left}"),
            ("inversions", str(len(rows))),
            ("networks", ", ".join(dict.fromkeys(row["network"] for row in rows)) or "–"),
        ],
        config=json.dumps(cells[0], indent=2, ensure_ascii=False),
        charts=charts,
        tables=[
            tabular.table(f"Every inversion{name}", own, where="cells/")
            for name, own in rows_of.items()
        ],
    )
