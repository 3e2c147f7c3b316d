"""Ends a process at its n-th touch of a folder, as `kill -9` would, or fills the disk from then on.

Python tells its audit hooks of every file that is opened, renamed or removed and of every folder
that is made, listed or removed, just before it happens. A process that ends there without another
instruction leaves what a kill at that moment leaves.

    python tests/helpers/killed.py NUMBER FOLDER SCRIPT [FLAGS]     exit status 137 if it was ended
"""

import errno
import os
import runpy
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

KILLED, REFUSED = 137, 2
_EVENTS = {
    *("open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.listdir", "os.scandir"),
    *("os.truncate", "os.utime", "os.link", "os.symlink", "os.chmod"),
}


def die_at(number: int, folder: Path) -> None:
    """Lets this process end at its n-th touch of a folder or of what is in it, from 1 on."""
    count = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count
        if event in _EVENTS and arguments and _is_in(arguments[0], folder):
            count += 1
            if count == number:
                os._exit(KILLED)

    sys.addaudithook(hook)


def fill_disk_at(number: int, folder: Path) -> None:
    """Lets nothing be written in a folder from this process's n-th new file or folder on."""
    count = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count
        new = event == "os.mkdir" or (event == "open" and "x" in str(arguments[1]))
        if new and _is_in(arguments[0], folder):
            count += 1
            if count >= number:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    sys.addaudithook(hook)


def cut_off(
    cut: Callable[[int, Path], None], number: int, folder: Path, action: Callable[[], object]
) -> bool:
    """Runs an action in a copy of this process that is cut off at its n-th touch of a folder.

    Args:
        cut: `die_at` or `fill_disk_at`.
        number: n.
        folder: where touches count.
        action: computes nothing with JAX, since the copy has none of its threads.

    Returns:
        Whether it was cut off; False if the action was through before.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        child = os.fork()
    if child == 0:
        status = 1
        try:
            cut(number, folder)
            action()
            status = 0
        except ValueError as error:
            status = REFUSED if len(str(error).splitlines()) == 1 else 1
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    wanted = KILLED if cut is die_at else REFUSED
    assert status in (0, wanted), f"the action failed with status {status}"
    return status == wanted


def is_killed_at(number: int, folder: Path, action: Callable[[], object]) -> bool:
    """The same with `die_at`."""
    return cut_off(die_at, number, folder, action)


def each_cut(
    cut: Callable[[int, Path], None],
    folder: Path,
    action: Callable[[], object],
    *,
    first: int = 1,
    every: int = 1,
) -> Iterator[int]:
    """Cuts an action off at every moment in turn; what each cut leaves can be looked at.

    Args:
        cut, folder, action: as `cut_off` takes them.
        first: the first moment.
        every: moments from one cut to the next.
    """
    number = first
    while cut_off(cut, number, folder, action):
        yield number
        number += every


def contents(folder: Path) -> dict[str, bytes]:
    """All files in a folder by their paths."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def _is_in(path: object, folder: Path) -> bool:
    if isinstance(path, (str, bytes, os.PathLike)):
        text = os.fsdecode(path)
        return text == str(folder) or text.startswith(f"{folder}{os.sep}")
    return False


if __name__ == "__main__":
    die_at(int(sys.argv[1]), Path(sys.argv[2]).absolute())
    sys.argv = sys.argv[3:]
    sys.path.insert(0, str(Path(sys.argv[0]).parent))
    runpy.run_path(sys.argv[0], run_name="__main__")
