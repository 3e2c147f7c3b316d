"""Folders that a marker file tells from others, and that are gone on with unless told otherwise.

The folder of a sweep has a `sweep.json`, that of a reproduction a `reproduce.json`. The marker is
written first and removed last, so what a kill leaves at any moment is still such a folder.
"""

import os
import shutil
from pathlib import Path

from depthjax.files import TEMPORARY, cannot_write
from depthjax.folders import lock as locks


def check_ours(folder: Path, marker: str, kind: str) -> None:
    """Returns if a folder is new, empty, or one of ours.

    Args:
        folder: its path.
        marker: name of the file that tells our folders from others.
        kind: what the folder should be, in a word ("sweep").

    Raises:
        ValueError: if it holds something else.
        CannotWrite: if the system does not let us look.
    """
    try:
        if not folder.exists() or (folder / marker).is_file():
            return
        if not folder.is_dir() or _contents(folder):
            raise ValueError(f"{str(folder)!r} exists and is no {kind}; choose another --output")
    except OSError as error:
        raise cannot_write(folder, error) from error


def clear(folder: Path, marker: str, kind: str) -> None:
    """Removes all that a folder of ours holds, the marker last.

    Args:
        folder, marker, kind: as for `check_ours`.

    Raises:
        FolderBusy: if another process works anywhere in it; nothing is removed then.
        ValueError: if the folder holds something else, or cannot be emptied.
    """
    check_ours(folder, marker, kind)
    if not folder.is_dir():
        return
    locks.check_free(folder)
    for name in sorted(_contents(folder), key=lambda name: name == marker):
        entry = folder / name
        try:
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        except OSError as error:
            raise ValueError(
                f"cannot remove {str(entry)!r} ({error.strerror or error}); check the folder's"
                " permissions"
            ) from error


def _contents(folder: Path) -> list[str]:
    """Names in a folder, without what the writing of it leaves there."""
    return [n for n in os.listdir(folder) if n != locks.NAME and not TEMPORARY.fullmatch(n)]
