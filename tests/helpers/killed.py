"""Ends a process at its n-th touch of a folder, as a power cut or `kill -9` would.

Python tells its audit hooks of every file that is opened, renamed or removed and of every folder
that is made, listed or removed, just before it happens. A process that ends there without another
instruction leaves what a kill at that moment leaves.

    python tests/helpers/killed.py NUMBER FOLDER SCRIPT [FLAGS]     exit status 137 if it was ended
"""

import os
import runpy
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

KILLED = 137
_EVENTS = {
    *("open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.listdir", "os.scandir"),
    *("os.truncate", "os.utime", "os.link", "os.symlink", "os.chmod"),
}


def die_at(number: int, folder: Path) -> None:
    """Lets this process end at its n-th touch of a folder or of what is in it, from 1 on."""
    place, count = str(folder), 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count
        if event in _EVENTS and arguments and _is_in(arguments[0], place):
            count += 1
            if count == number:
                os._exit(KILLED)

    sys.addaudithook(hook)


def _is_in(path: object, folder: str) -> bool:
    if isinstance(path, (str, bytes, os.PathLike)):
        text = os.fsdecode(path)
        return text == folder or text.startswith(folder + os.sep)
    return False


def is_killed_at(number: int, folder: Path, action: Callable[[], object]) -> bool:
    """Runs an action in a copy of this process that ends at its n-th touch of a folder.

    Returns:
        Whether it was ended; False if the action was through before.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the copy uses no threads: no computation, only files
        child = os.fork()
    if child == 0:
        status = 1
        try:
            die_at(number, folder)
            action()
            status = 0
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, KILLED), f"the action failed with status {status}"
    return status == KILLED


if __name__ == "__main__":
    die_at(int(sys.argv[1]), Path(sys.argv[2]).absolute())
    sys.argv = sys.argv[3:]
    sys.path.insert(0, str(Path(sys.argv[0]).parent))
    runpy.run_path(sys.argv[0], run_name="__main__")
