"""From the folder of a finished run to what a page shows of it."""

import csv
import json
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from depthjax.claims.findings import load_findings
from depthjax.folders.begin import command_line, read_config
from depthjax.folders.inversions import Run, load_run
from depthjax.report import tabular
from depthjax.report.contents import (
    Chart,
    Gallery,
    Picture,
    Report,
    Section,
    Series,
    View,
    chart_from_record,
)
from depthjax.report.inversions import cells, inversion_charts, ratio_table
from depthjax.report.sweep import is_sweep, sweep_section
from depthjax.studies.comparison.setting import BLURRED, CONVERGING, MATCHED, PLAIN

CHARTS = "charts.json"
"""A folder of results may hold charts of its own: a list of `Chart.record`."""
_MOST_PICTURES = 16


def collect(folders: Sequence[str | os.PathLike[str]], title: str | None = None) -> Report:
    """Everything that one page shows of one run, or of several.

    Args:
        folders: of runs, comparisons or results; a folder of several stands for all of them.
        title: of the page (default: the folder's name).

    Raises:
        ValueError: if a folder holds none of them, or a file in it is damaged.
    """
    paths = [Path(folder) for folder in folders]
    every = [found for path in paths for found in _runs_in(path)]
    whole = len(paths) > 1 or every != paths
    name = title or (paths[0].resolve().name if len(paths) == 1 else "Reproduction")
    return Report(name, [section(path) for path in every], whole)


def section(folder: str | os.PathLike[str]) -> Section:
    """What one folder has to say, whatever made it.

    Raises:
        ValueError: if it is none of ours, or damaged.
    """
    path = Path(folder)
    if is_sweep(path):
        return sweep_section(path)
    config = read_config(path)
    environment = config.get("environment", {})
    builder: Callable[[Path, dict[str, Any]], dict[str, Any]] = _results
    if (path / "descents").is_dir() and {"networks", "conditions"} <= config.keys():
        builder = _comparison
    elif (path / "learning_curve.csv").is_file():
        builder = _training
    elif (path / "inputs.npz").is_file() and "layers" in config and "inversion" in config:
        builder = _inversion
    findings = load_findings(path) if (path / "findings.json").is_file() else []
    settings = {name: value for name, value in config.items() if name != "environment"}
    contents = builder(path, config)
    return Section(
        title=path.resolve().name,
        command=command_line(environment.get("command", [])),
        facts=[*contents.pop("facts"), *_where(environment)],
        config=json.dumps(settings, indent=2, ensure_ascii=False),
        findings=findings,
        pictures=_pictures(path),
        **contents,
    )


def _runs_in(path: Path) -> list[Path]:
    """The folder itself, or the ones within it, two deep at most."""
    if (path / "config.json").is_file() or is_sweep(path):
        return [path]
    if not path.is_dir():
        raise ValueError(f"there is no folder {str(path)!r} to report on")
    found: list[Path] = []
    for depth in ("*", "*/*"):
        for marked in sorted(
            [*path.glob(f"{depth}/config.json"), *path.glob(f"{depth}/sweep.json")]
        ):
            if not any(parent in found for parent in marked.parents):
                found.append(marked.parent)
    if not found:
        raise ValueError(
            f"no run in {str(path)!r}: neither it nor a folder in it has config.json or sweep.json"
        )
    return sorted(found)


# --- Kinds of folders -----------------------------------------------------------------------------


def _inversion(path: Path, config: dict[str, Any]) -> dict[str, Any]:
    """Of `experiments/invert.py`."""
    run = load_run(path)
    settings = config["inversion"]
    facts = [
        ("network", f"{config.get('model', '')}, weights: {config.get('weights', '')}"),
        ("images", f"{len(run.image_names)} of {'×'.join(map(str, run.targets.shape[1:3]))} px"),
        ("descent", f"{settings['steps']} steps of {settings['optimizer']}"),
        ("seeds", f"start {config.get('start_seed', '–')}"),
    ]
    content: dict[str, Any] = {"kind": "images recovered from the layers of a network"}
    done = f"{len(run.layers)} of {len(config['layers'])}"
    if not run.layers:
        return content | {"facts": [*facts, ("layers", f"{done} finished")]}
    count = len(run.starts)
    options = [f"start {restart + 1}" for restart in range(count)]
    axes = {"start": options} if count > 1 else {}
    views = [
        View((options[restart],) if axes else (), cells(run, restart, "best"))
        for restart in range(count)
    ]
    gallery = Gallery(
        run.image_names,
        config["layers"],
        run.targets,
        run.starts[0],
        axes,
        views,
        note="Shown are the iterates with the smallest objective; the descent never sees the"
        " target image.",
    )
    rows = run.table
    tables = [tabular.table("Every image, layer and restart", rows)]
    if (path / "ratio_matrix.npz").is_file():
        tables.append(ratio_table(path / "ratio_matrix.npz"))
    return content | {
        "facts": [*facts, ("layers", f"{done} finished")],
        "gallery": gallery,
        "charts": inversion_charts(run),
        "tables": tables,
    }


def _comparison(path: Path, config: dict[str, Any]) -> dict[str, Any]:
    """Of `experiments/compare.py`: every network at its first seed, every kind of descent."""
    first = config["seeds"][0]
    views = []
    networks, conditions = list(config["networks"]), list(config["conditions"])
    shown: Run | None = None
    for network in networks:
        for condition in conditions:
            label = network.replace("/", "_")
            folder = path / "descents" / f"{label}_{first}" / condition
            if not (folder / "config.json").is_file():
                continue
            shown = load_run(folder)
            which = "last" if condition in (BLURRED, PLAIN) else "best"
            views.append(View((network, _DESCENTS.get(condition, condition)),
                              cells(shown, 0, which)))  # fmt: skip
    content: dict[str, Any] = {
        "kind": "networks compared",
        "facts": [
            ("network", config["model"]),
            ("networks", ", ".join(networks)),
            ("seeds", f"{len(config['seeds'])}, shown {first}"),
            ("images", f"{len(config['images'])} of {config['size']}×{config['size']} px"),
        ],
    }
    if shown is not None:
        content["gallery"] = Gallery(
            config["images"],
            config["layers"],
            shown.targets,
            shown.starts[0],
            {"network": networks, "descent": [_DESCENTS.get(name, name) for name in conditions]},
            views,
            note=f"Weights of seed {first}. The converging descents show the iterate with the"
            " smallest objective, the paper's recipe the last one.",
        )
    if (path / "results.csv").is_file():
        rows = _read_csv(path / "results.csv")
        content["charts"] = tabular.depth_charts(rows, _COMPARED)
        content["tables"] = [tabular.table("Every network, layer, descent and image", rows)]
    return content


_DESCENTS = {
    CONVERGING: "converging",
    MATCHED: "stopped at matched ρ",
    BLURRED: "paper's recipe",
    PLAIN: "paper's, no blur",
}
_COMPARED = (
    ("embedding_ratio", {"condition": CONVERGING}, "ρ, converged"),
    ("input_ratio_at_0.1", {"condition": CONVERGING}, "D at ρ = 0.1"),
    ("elasticity", {"condition": CONVERGING}, "Elasticity"),
    ("ssim", {"condition": MATCHED}, "SSIM at the matched ρ"),
    ("embedding_ratio", {"condition": BLURRED}, "ρ, paper's recipe with blur"),
    ("embedding_ratio", {"condition": PLAIN}, "ρ, paper's recipe without blur"),
    ("relative_embedding_distance", {"condition": PLAIN}, "m_g/‖O(a)‖, without blur"),
    ("spectral_distance", {"condition": PLAIN}, "Spectrum against the training noise's"),
    ("class_probability", {"condition": CONVERGING}, "Class evidence by a third network"),
    ("photograph_probability", {"condition": CONVERGING}, "Taken for a photograph"),
)


def _training(path: Path, config: dict[str, Any]) -> dict[str, Any]:
    """Of `experiments/train.py`."""
    settings = config.get("training", {})
    rows = _read_csv(path / "learning_curve.csv")
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


def _results(path: Path, config: dict[str, Any]) -> dict[str, Any]:
    """Of any script that ends in findings, and of what else has a config."""
    facts = [
        (name.replace("_", " "), _in_words(config[name]))
        for name in ("model", "dataset", "layer", "seeds", "size", "steps")
        if config.get(name) not in (None, [], "")
    ]
    content: dict[str, Any] = {"kind": "numbers and findings", "facts": facts}
    if not (path / "results.csv").is_file():
        return content
    rows = _read_csv(path / "results.csv")
    if not rows:
        return content
    charts: list[Chart]
    if (path / CHARTS).is_file():
        charts = _own_charts(path / CHARTS)
    else:
        charts = tabular.depth_charts(rows) if {"layer", "depth"} <= rows[0].keys() else []
    return content | {"charts": charts, "tables": [tabular.table("Numbers", rows)]}


def _in_words(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


# --- Files ----------------------------------------------------------------------------------------


def _own_charts(path: Path) -> list[Chart]:
    try:
        records = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{str(path)!r} is damaged: {error}") from error
    return [chart_from_record(record) for record in records]


def _read_csv(path: Path) -> list[dict[str, Any]]:
    """Rows of a tidy table, numbers as numbers."""
    with path.open(encoding="utf-8", newline="") as file:
        return [{name: _value(text) for name, text in row.items()} for row in csv.DictReader(file)]


def _value(text: str | None) -> str | int | float:
    for kind in (int, float):
        try:
            return kind(text or "")
        except ValueError:
            continue
    return text or ""


def _pictures(path: Path) -> list[Picture]:
    """The figures that the run has drawn."""
    found = sorted((path / "figures").glob("*.png"))[:_MOST_PICTURES]
    return [
        Picture(file.stem, file.read_bytes(), f"figure {file.stem.replace('_', ' ')} of the run")
        for file in found
    ]


def _where(environment: dict[str, Any]) -> Iterable[tuple[str, str]]:
    versions = environment.get("versions", {})
    if environment:
        names = [name for name in ("depthjax", "jax", "flax") if name in versions]
        yield "device", f"{environment.get('device', '–')}, {environment.get('cores', '–')} cores"
        yield "versions", ", ".join(f"{name} {versions[name]}" for name in names)
        yield "revision", str(environment.get("git_revision", "unknown"))
