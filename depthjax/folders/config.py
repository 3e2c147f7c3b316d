"""The config.json of a folder of results: what was asked for, and where it ran."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def is_run(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder has the config of a run of ours, finished or not."""
    try:
        config = read_config(folder)
    except ValueError:
        return False
    return isinstance(config, dict) and "environment" in config


def read_config(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """The contents of a run's `config.json`.

    Raises:
        ValueError: if there is no run, or its config cannot be read.
    """
    path = Path(folder)
    if not (path / "config.json").is_file():
        raise ValueError(f"no run in {str(path)!r}: it has no config.json")
    try:
        return json.loads((path / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"the run in {str(path)!r} is damaged: {error}") from error


def as_definition(config: Mapping[str, Any]) -> dict[str, Any]:
    """All that defines a run, as it comes back from JSON.

    Args:
        config: it must survive JSON.

    Raises:
        ValueError: if it holds text that cannot be written, such as a file name of broken bytes.
    """
    try:
        text = json.dumps(dict(config), ensure_ascii=False)
        text.encode()
    except UnicodeEncodeError as error:
        broken = ascii(text[max(0, error.start - 40) : error.end + 40])
        raise ValueError(
            f"a name is not valid UTF-8 and cannot be written, near {broken}; rename the file"
        ) from None
    return json.loads(text)


def check_same(path: Path, definition: Mapping[str, Any]) -> None:
    """Returns if a folder was begun with this definition.

    Args:
        path: of the folder.
        definition: from `as_definition`.

    Raises:
        ValueError: naming the first thing that differs.
    """
    old = read_config(path)
    for name in dict.fromkeys([*definition, *(key for key in old if key != "environment")]):
        if old.get(name) != definition.get(name):
            where, begun, asked = _difference(name, old.get(name), definition.get(name))
            raise ValueError(
                f"cannot resume {str(path)!r}: its {where} is {_short(begun)}, not"
                f" {_short(asked)}; use the settings, and the version, it was begun with"
            )


def _difference(where: str, old: Any, new: Any) -> tuple[str, Any, Any]:
    """The first place within two unequal values where they differ, and what is there."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in dict.fromkeys([*new, *old]):
            if old.get(name) != new.get(name):
                return _difference(f"{where}.{name}", old.get(name), new.get(name))
    return where, old, new


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) < 120 else text[:117] + "…"
