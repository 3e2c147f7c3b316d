"""From the folder of a run to what a page shows of it."""

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from depthjax.claims.stored import load_findings
from depthjax.folders.config import read_config
from depthjax.folders.environment import command_line
from depthjax.folders.inversions import is_inversion
from depthjax.folders.unfinished import missing
from depthjax.report import tabular
from depthjax.report.comparison import comparison_contents, is_comparison
from depthjax.report.contents import Chart, Picture, Report, Section, Series
from depthjax.report.inversions import inversion_contents
from depthjax.report.jacobian import is_jacobian, jacobian_charts
from depthjax.report.sweep import is_sweep, sweep_section

_MOST_PICTURES = 16


def collect(folders: Sequence[str | os.PathLike[str]], title: str | None = None) -> Report:
    """What one page shows of one run, or of several.

    Args:
        folders: of runs, comparisons or results. A folder that holds several of these stands for
            all of them.
        title: of the page (default: the folder's name).

    Raises:
        ValueError: if a folder holds none of these, or a file in it is damaged.
    """
    paths = [Path(folder) for folder in folders]
    runs = [run for path in paths for run in _runs_in(path)]
    whole = len(paths) > 1 or runs != paths
    name = title or (paths[0].resolve().name if len(paths) == 1 else "Reproduction")
    return Report(name, [section(run) for run in runs], whole)


def section(folder: str | os.PathLike[str]) -> Section:
    """What a page shows of one folder, whichever script made it.

    Raises:
        ValueError: if none of our scripts made it, or a file in it is damaged.
    """
    path = Path(folder)
    if is_sweep(path):
        return sweep_section(path)
    config = read_config(path)
    environment = config.get("environment", {})
    settings = {name: value for name, value in config.items() if name != "environment"}
    findings = load_findings(path) if (path / "findings.json").is_file() else []
    contents = _contents(path, config)
    return Section(
        title=path.resolve().name,
        command=command_line(environment.get("command", [])),
        facts=[*contents.pop("facts"), *_environment_facts(environment)],
        config=json.dumps(settings, indent=2, ensure_ascii=False),
        findings=findings,
        pictures=_pictures(path),
        missing=missing(path),
        **contents,
    )


def _contents(path: Path, config: dict[str, Any]) -> dict[str, Any]:
    """The fields of a `Section` that depend on which script made the folder."""
    if is_comparison(path, config):
        return comparison_contents(path, config)
    if (path / "learning_curve.csv").is_file():
        return _training_contents(path, config)
    if is_inversion(path, config):
        return inversion_contents(path, config)
    return _results_contents(path, config)


def _runs_in(path: Path) -> list[Path]:
    """The folder itself if a script made it, or those within it, at most two levels deep."""
    if (path / "config.json").is_file() or is_sweep(path):
        return [path]
    if not path.is_dir():
        raise ValueError(f"there is no folder {str(path)!r} to report on")
    runs: list[Path] = []
    for depth in ("*", "*/*"):
        marks = sorted([*path.glob(f"{depth}/config.json"), *path.glob(f"{depth}/sweep.json")])
        for mark in marks:
            # A run's own folders, such as the descents of a comparison, belong to it.
            if not any(parent in runs for parent in mark.parents):
                runs.append(mark.parent)
    if not runs:
        raise ValueError(
            f"no run in {str(path)!r}: neither it nor a folder in it has config.json or sweep.json"
        )
    return sorted(runs)


def _training_contents(path: Path, config: dict[str, Any]) -> dict[str, Any]:
    """Of a training (`experiments/train.py`): the learning curve."""
    settings = config.get("training", {})
    rows = tabular.read_csv(path / "learning_curve.csv")
    charts = []
    for quantity, unit in (("loss", "nats"), ("accuracy", "share")):
        lines = []
        for split, name in (("train", "training"), ("validation", "validation")):
            known = [row for row in rows if isinstance(row.get(f"{split}_{quantity}"), float)]
            epochs = [float(row["epoch"]) for row in known]
            lines.append(Series(name, epochs, [row[f"{split}_{quantity}"] for row in known]))
        charts.append(Chart(quantity.capitalize(), "epoch", f"{quantity} ({unit})", lines))
    return {
        "kind": "a network trained",
        "facts": [
            ("network", str(config.get("model", ""))),
            ("data set", str(config.get("dataset", ""))),
            ("training", f"{settings.get('epochs')} epochs of {settings.get('optimizer')}"),
        ],
        "charts": charts if rows else [],
        "tables": [tabular.table("Learning curve", rows)] if rows else [],
    }


def _results_contents(path: Path, config: dict[str, Any]) -> dict[str, Any]:
    """Of a study, or of anything else with a `config.json`: its rows and charts."""
    facts = [
        (name.replace("_", " "), _in_words(config[name]))
        for name in ("model", "dataset", "layer", "seeds", "size", "steps")
        if config.get(name) not in (None, [], "")
    ]
    content: dict[str, Any] = {"kind": "numbers and findings", "facts": facts}
    if not (path / "results.csv").is_file():
        return content
    rows = tabular.read_csv(path / "results.csv")
    if not rows:
        return content
    return content | {"charts": _charts(rows), "tables": [tabular.table("Numbers", rows)]}


def _charts(rows: tabular.Rows) -> list[Chart]:
    """Of a study: those that are chosen for it, or else those of all quantities against depth."""
    if is_jacobian(rows):
        return jacobian_charts(rows)
    return tabular.depth_charts(rows) if {"layer", "depth"} <= rows[0].keys() else []


def _in_words(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _pictures(path: Path) -> list[Picture]:
    """The figures that the run has drawn."""
    files = sorted((path / "figures").glob("*.png"))[:_MOST_PICTURES]
    return [
        Picture(file.stem, file.read_bytes(), f"figure {file.stem.replace('_', ' ')} of the run")
        for file in files
    ]


def _environment_facts(environment: dict[str, Any]) -> Iterable[tuple[str, str]]:
    """The device, the versions and the revision that a run was made with."""
    versions = environment.get("versions", {})
    if environment:
        names = [name for name in ("depthjax", "jax", "flax") if name in versions]
        yield "device", f"{environment.get('device', '–')}, {environment.get('cores', '–')} cores"
        yield "versions", ", ".join(f"{name} {versions[name]}" for name in names)
        yield "revision", str(environment.get("git_revision", "unknown"))
