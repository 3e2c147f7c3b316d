"""What every run folder has: a config.json that says what was asked for, and where it ran.

A folder with a config is a run that was begun; one without is not ours, and is left alone.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

from depthjax.files import write_atomically

PACKAGES = ("depthjax", "jax", "jaxlib", "flax", "optax", "numpy", "pillow")


def begin(
    folder: str | os.PathLike[str],
    config: Mapping[str, Any],
    *,
    overwrite: bool = False,
    resume: bool = False,
    first: Callable[[Path], None] | None = None,
) -> Path:
    """Makes a run folder, or opens the one that is there to go on with it.

    Args:
        folder: the run folder.
        config: all that defines the run; it must survive JSON.
        overwrite: an older run there is removed first.
        resume: an older run there with the same `config` is continued.
        first: writes what a new run cannot do without, before it counts as begun.

    Returns:
        The folder.

    Raises:
        ValueError: if the folder holds another run, or something that is no run.
    """
    path = Path(folder)
    definition = json.loads(json.dumps(dict(config)))
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        if not (path / "config.json").is_file():
            raise ValueError(f"{str(path)!r} exists and is no run; choose another --output")
        if resume:
            _check_same(path, definition)
            return path
        if not is_run(path):  # other programs name files so, too
            raise ValueError(
                f"the config.json of {str(path)!r} is not that of a run; choose another --output"
            )
        if not overwrite:
            raise ValueError(
                f"{str(path)!r} already holds a run; choose another --output, or --resume it, or"
                " --overwrite it"
            )
        shutil.rmtree(path)
    path.mkdir(parents=True, exist_ok=True)
    if first is not None:
        first(path)
    # Written last: a folder with a config is a run whose inputs are complete.
    text = json.dumps({**definition, "environment": environment()}, indent=2) + "\n"
    write_atomically(path / "config.json", text.encode())
    return path


def is_run(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder has the config of a run of ours, finished or not."""
    try:
        config = read_config(folder)
    except ValueError:
        return False
    return isinstance(config, dict) and "environment" in config


def kept(path: Path, make: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    """A part of a run from its file, or made and kept there: what is done is not done again.

    Args:
        path: of the part, a JSON file.
        make: called if it is not there; what it returns must survive JSON.

    Returns:
        What the file holds.
    """
    if not path.is_file():
        write_atomically(path, json.dumps(dict(make()), allow_nan=False).encode())
    return json.loads(path.read_text())


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


def command_line(arguments: Sequence[str]) -> str:
    """A recorded command as one would type it in the checkout.

    Args:
        arguments: `environment()["command"]`, the script first; what says how to treat an older
            folder is left out.
    """
    if not arguments:
        return ""
    script, *rest = arguments
    kept = [_FLAG_FILES.sub("", one) for one in rest if one.lstrip("-") not in _ABOUT_OLDER]
    return shlex.join(["python", f"experiments/{Path(script).name}", *kept])


_FLAG_FILES = re.compile(r"(?<==).*/(?=experiments/flags/)")
_ABOUT_OLDER = ("overwrite", "nooverwrite", "resume", "noresume")


def environment() -> dict[str, Any]:
    """Versions, device, command and git revision: where numbers came from."""
    device = jax.devices()[0]
    return {
        "command": sys.argv,
        "python": sys.version.split()[0],
        "versions": {name: _version(name) for name in PACKAGES},
        "device": f"{device.platform}: {device.device_kind}",
        "devices": jax.device_count(),
        "cores": os.cpu_count(),
        "git_revision": _git_revision(),
    }


def _check_same(path: Path, definition: dict[str, Any]) -> None:
    old = read_config(path)
    for name in definition | {key: None for key in old if key != "environment"}:
        if old.get(name) != definition.get(name):
            raise ValueError(
                f"cannot resume {str(path)!r}: its {name} is {_short(old.get(name))}, not"
                f" {_short(definition.get(name))}; use the settings it was begun with"
            )


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) < 120 else text[:117] + "…"


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _git_revision() -> str:
    """The revision of the checkout that this package lies in, marked if it has changes."""
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return answer.stdout.strip() or "unknown"
