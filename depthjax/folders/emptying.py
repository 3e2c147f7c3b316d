"""What a folder holds besides the traces of its being written, and how it is emptied."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from depthjax.files import TEMPORARY
from depthjax.folders import lock as locks


def contents(folder: Path) -> list[str]:
    """Names in a folder, without its lock and unfinished files."""
    return [n for n in os.listdir(folder) if n != locks.NAME and not TEMPORARY.fullmatch(n)]


def remove_contents(folder: Path, *, first: str = "", last: str = "") -> None:
    """Removes all but the lock.

    Args:
        folder: to be emptied.
        first, last: what is removed first and last, so that a kill in between leaves a folder of
            which one can tell what it is.

    Raises:
        FolderBusy: if another process writes anywhere in it; nothing is removed then.
        ValueError: if something cannot be removed.
    """
    locks.check_free(folder)
    names = [name for name in os.listdir(folder) if name != locks.NAME]
    for name in sorted(names, key=lambda name: (name != first, name == last)):
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


def remove_temporary(folder: Path) -> None:
    """Removes files that a kill has left unfinished; no other process may write the folder."""
    for file in folder.rglob(".*.tmp"):
        if TEMPORARY.fullmatch(file.name):
            with suppress(OSError):
                file.unlink()
