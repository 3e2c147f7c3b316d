"""What a folder of results still lacks."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from depthjax.folders.config import is_run, read_config
from depthjax.folders.inversions import is_inversion, layer_file


def missing(folder: Path) -> list[str]:
    """What a run has not made yet: layers of an inversion, or the file that a run ends with.

    Args:
        folder: with a `config.json`.

    Returns:
        Nothing for a run that is finished, and where it cannot be told.

    Raises:
        ValueError: if there is no run, or its config is damaged.
    """
    config = read_config(folder)
    if is_inversion(folder, config):
        return [name for name in config["layers"] if not layer_file(folder, name).is_file()]
    last = _last_file(config)
    return [last] if last and not (folder / last).is_file() else []


def unfinished_runs(parent: Path, model: str | None) -> Iterator[Path]:
    """The runs in a folder that lack something, the newest first.

    Args:
        parent: the folder that they are in; it need not exist.
        model: only those of this architecture; None: of any.
    """
    configs = sorted(parent.glob("*/config.json"), key=lambda path: -path.stat().st_mtime)
    for config in configs:
        with suppress(ValueError):
            folder = config.parent
            if not is_run(folder) or not missing(folder):
                continue
            if model is None or read_config(folder).get("model") == model:
                yield folder


def _last_file(config: dict[str, Any]) -> str:
    """The file that is written last; an empty string where this is not known."""
    if {"training", "splits"} <= config.keys():
        return "results.json"
    return "results.csv" if "plan" in config.get("environment", {}) else ""
