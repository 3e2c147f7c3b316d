"""Weights in several files, and the index (`….index.json`) that says which array lies in which.

The form is that of Hugging Face's libraries: `{"weight_map": {name: file}}`, all in one folder.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

from depthjax.files import file_sha256
from depthjax.weights.reading import StateDict, read_state_dict

DEFAULT_FILES = (
    *("model.safetensors", "model.safetensors.index.json"),
    *("pytorch_model.bin", "pytorch_model.bin.index.json"),
)
"""What the weights of a folder or of a repository are called, best first."""
INDEX = ".index.json"
_PART = re.compile(r"(.*)-0*(\d{1,6})-of-0*(\d{1,6})(\.\w+)")


def is_index(path: str | os.PathLike[str]) -> bool:
    """Whether a file has the name of an index."""
    return os.fspath(path).endswith(INDEX)


def parts_of(index: Path) -> dict[str, Path]:
    """Where the arrays of an index lie: their names to paths beside the index.

    Raises:
        ValueError: for what is no index, and for a part that would lie elsewhere.
    """
    try:
        places = json.loads(index.read_text("utf-8"))["weight_map"]
        items = sorted(places.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"{index.name} is no index of weights, which is a JSON file with a weight_map of names"
            " to files; get it again"
        ) from error
    for _, part in items:
        if not isinstance(part, str) or re.fullmatch(r"[\w.+-]*\w", part) is None:
            raise ValueError(
                f"{index.name} names a part {ascii(part)[:80]}, which is no plain name of a file"
                " beside it, and is not read"
            )
    return {name: index.with_name(part) for name, part in items}


def read_weights(
    path: str | os.PathLike[str], *, only: Callable[[str], bool] | None = None
) -> StateDict:
    """As `read_state_dict`, of a file or, by their index, of several.

    Raises:
        ValueError: also for one part alone, a part that is not there, and one that lacks an array.
    """
    path = Path(path)
    if not is_index(path):
        _check_is_whole(path)
        return read_state_dict(path, only=only)
    state: StateDict = {}
    places = parts_of(path)
    for part in dict.fromkeys(places.values()):
        names = {name for name, place in places.items() if place == part}
        if not part.is_file():
            raise ValueError(
                f"{path.name} names a part {part.name}, which is not there; get it too"
            )
        wanted = {name for name in names if only is None or only(name)}
        held = read_state_dict(part, only=wanted.__contains__)
        if missing := sorted(wanted - held.keys()):
            raise ValueError(f"{part.name} lacks {missing[0]}, which {path.name} places there")
        state |= held
    return state


def weights_sha256(path: Path) -> str:
    """The SHA-256 of a file; of an index, of the SHA-256s of it and of its parts in order."""
    if not is_index(path):
        return file_sha256(path)
    files = [path, *sorted(set(parts_of(path).values()))]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise ValueError(f"{path.name} names a part {missing[0]}, which is not there; get it too")
    return hashlib.sha256("".join(map(file_sha256, files)).encode()).hexdigest()


def weights_in(folder: Path) -> Path | None:
    """The file or index of weights in a folder, if it is clear which one it is."""
    usual = [folder / name for name in DEFAULT_FILES if (folder / name).is_file()]
    return next(iter([*usual, *sorted(folder.glob(f"*{INDEX}"))]), None)


def _check_is_whole(path: Path) -> None:
    part = _PART.fullmatch(path.name)
    if part is None or part[3] == "1":
        return
    index = path.with_name(f"{part[1]}{part[4]}{INDEX}")
    beside = "which lies beside it" if index.is_file() else "with all parts beside it"
    raise ValueError(
        f"{path.name} is part {part[2]} of {part[3]}; give the index, {index.name}, {beside}"
    )
