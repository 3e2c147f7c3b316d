"""What a folder of results still lacks."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from depthjax.folders.config import is_run, read_config
from depthjax.folders.inversions import is_inversion, layer_file


def missing(folder: Path) -> list[str]:
    """What a run has not made yet: layers of its descents, and the file that it ends with.

    Args:
        folder: with a `config.json`.

    Returns:
        Nothing for a run that is finished, and where it cannot be told.

    Raises:
        ValueError: if there is no run, or its config is damaged.
    """
    config = read_config(folder)
    if is_inversion(folder, config):
        return _missing_layers(folder, config)
    layers = [
        f"{'/'.join(descent.parts[-2:])}/{layer}"
        for descent in sorted((folder / "descents").glob("*/*"))
        for layer in _missing_layers(descent, read_config(descent))
    ]
    last = _last_file(config)
    return layers + ([last] if last and not (folder / last).is_file() else [])


def _missing_layers(folder: Path, config: dict[str, Any]) -> list[str]:
    return [name for name in config["layers"] if not layer_file(folder, name).is_file()]


def briefly(missing: Sequence[str], most: int = 4) -> str:
    """The first names of what is missing, and how many more there are."""
    rest = len(missing) - most
    return ", ".join(missing[:most]) + (f" and {rest} more" if rest > 0 else "")


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
    """The file that tells of the end of a run; an empty string where this is not known."""
    if {"training", "splits"} <= config.keys():
        return "results.json"
    return "findings.json" if "plan" in config.get("environment", {}) else ""
