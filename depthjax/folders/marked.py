"""Folders that a marker file tells from others, and that are gone on with unless told otherwise.

The folder of a sweep has a `sweep.json`, that of a reproduction a `reproduce.json`. The marker is
written first and removed last, so what a kill leaves at any moment is still such a folder.
"""

from pathlib import Path

from depthjax.files import cannot_write
from depthjax.folders.emptying import contents, remove_contents


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
        if not folder.is_dir() or contents(folder):
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
    remove_contents(folder, last=marker)
