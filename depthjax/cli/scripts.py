"""Where the scripts are: a checkout has them, and an installed package brings them along."""

from importlib import metadata
from pathlib import Path

_NAME = "experiments"


def scripts_folder() -> Path:
    """The folder of the scripts, with `flags/` in it.

    Returns:
        `experiments/` beside the package in a checkout; else `share/depthjax/experiments` beside
        it, or in the environment that depthjax is installed in.

    Raises:
        ValueError: where neither is there.
    """
    beside = Path(__file__).parents[2]
    # A checkout, and what `pip install --target` makes, which RECORD does not tell.
    for folder in (beside / _NAME, beside / "share" / "depthjax" / _NAME):
        if (folder / "flags").is_dir():
            return folder
    for file in _installed():
        if file.parent.name == _NAME:
            return Path(str(file.locate())).resolve().parent
    raise ValueError(
        "the scripts of depthjax are not installed; install it with pip, or clone its repository"
    )


def _installed() -> list[metadata.PackagePath]:
    try:
        return metadata.files("depthjax") or []
    except metadata.PackageNotFoundError:
        return []
