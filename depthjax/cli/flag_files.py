"""Flag files that come along, by name: `--flagfile=quick` is `experiments/flags/quick.flags`."""

import re
from pathlib import Path

from depthjax.cli.scripts import scripts_folder
from depthjax.errors import unknown

_SCRIPT = re.compile(r"experiments/(\w+)\.py")


def flag_files(script: str | None = None) -> list[str]:
    """The names of the flag files that come along, sorted.

    Args:
        script: only those whose comments call this script; None for all.
    """
    found = sorted((scripts_folder() / "flags").glob("*.flags"))
    return [path.stem for path in found if script is None or script in _scripts_of(path)]


def _scripts_of(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return _SCRIPT.findall("\n".join(line for line in lines if line.startswith("#")))


def flag_file(name: str) -> str:
    """The path of a flag file, which may be given by its name; a file that is there comes first.

    Raises:
        ValueError: for a bare word that is neither a file nor the name of a flag file.
    """
    if not re.fullmatch(r"\w+", name) or Path(name).is_file():
        return name
    path = scripts_folder() / "flags" / f"{name}.flags"
    if not path.is_file():
        raise unknown("flag file", name, flag_files(), hint="or the path of one of your own")
    return str(path)
