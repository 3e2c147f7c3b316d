"""One process writes a folder at a time; its right to do so ends with the process.

The right is an advisory lock on the file `.lock` in the folder, which the system releases when the
process ends, however it ends. The file says who writes, and a token tells this writer from all
others: where the folder was removed, or begun anew by someone else, the token is gone and every
further write is refused. On file systems without locks the token alone protects the folder.
"""

import atexit
import json
import os
import socket
import sys
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from depthjax.files import cannot_write, guard

NAME = ".lock"
_SIZE = 512  # of the record, always the same: one write call replaces it as a whole
_TRIES = 20

_held: dict[Path, "FolderLock"] = {}


class FolderBusy(ValueError):
    """Another process writes the folder."""


class FolderLost(ValueError):
    """The folder is no longer the one that this process began."""


class FolderLock:
    """The right of this process to write a folder, from `acquire`; `release` gives it back.

    Args:
        folder: absolute, without symbolic links; it exists.
        file: descriptor of the lock file, open and locked.
        state: what `acquire` found in the file.
    """

    def __init__(self, folder: Path, file: int, state: str) -> None:
        self.folder, self.state = folder, state
        self._file: int | None = file
        self._token = uuid.uuid4().hex

    def check(self) -> None:
        """Returns if this process may still write the folder.

        Raises:
            FolderLost: if the folder was removed, begun anew, or given back.
        """
        if _read_record(self.folder).get("token") != self._token:
            raise FolderLost(
                f"{str(self.folder)!r} was removed or begun anew while this process was writing it;"
                " nothing more is written there"
            )

    def note(self, state: str) -> None:
        """Writes into the lock file what is being done, so that the next process can go on."""
        self.state = state
        record = {
            "token": self._token,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
            "state": state,
        }
        assert self._file is not None
        os.lseek(self._file, 0, os.SEEK_SET)
        try:
            os.write(self._file, json.dumps(record).encode().ljust(_SIZE - 1) + b"\n")
        except OSError as error:
            raise cannot_write(self.folder / NAME, error) from error

    def release(self) -> None:
        """Lets other processes write the folder; no error if the right was lost or given back.

        The file goes, too, unless it notes a state that the next process must know.
        """
        if self._file is None:
            return
        with suppress(FolderLost, OSError):
            self.check()
            if not self.state:
                (self.folder / NAME).unlink()  # while it is locked: `acquire` sees that it is gone
        self._close()

    def _close(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                os.close(self._file)
        self._file = None
        if _held.get(self.folder) is self:
            del _held[self.folder]
            guard(self.folder, None)


def acquire(folder: str | os.PathLike[str]) -> FolderLock:
    """Takes the right to write a folder that exists.

    A right that this process already has on the folder passes to the new lock; the old lock's
    `check` then fails.

    Raises:
        FolderBusy: if another process writes it.
        ValueError: if the lock file cannot be written.
    """
    path = Path(os.path.realpath(folder))
    if path in _held:
        _held[path].release()
    for _ in range(_TRIES):
        try:
            file = os.open(path / NAME, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise cannot_write(path, error) from error
        if not _lock(file):
            os.close(file)
            raise _busy(path)
        lock = FolderLock(path, file, state_of(path))
        try:
            lock.note(lock.state)
            lock.check()
        except FolderLost:  # the last writer removed this very file when it ended
            lock._close()
        except ValueError:
            with suppress(OSError):
                (path / NAME).unlink()
            lock._close()
            raise
        else:
            _held[path] = lock
            guard(path, lock.check)
            return lock
    raise FolderBusy(f"other processes keep beginning and leaving {str(folder)!r}; try again")


def held_by_us(folder: str | os.PathLike[str]) -> bool:
    """Whether this process has the right to write a folder, or one that the folder lies in."""
    path = Path(os.path.realpath(folder))
    return any(parent in _held for parent in (path, *path.parents))


def state_of(folder: Path) -> str:
    """What the last writer of a folder has noted, or an empty string."""
    return str(_read_record(folder).get("state", ""))


def check_free(folder: str | os.PathLike[str]) -> None:
    """Returns if no other process writes anywhere within a folder.

    Raises:
        FolderBusy: if one does.
    """
    for path in Path(folder).rglob(NAME):
        if path.parent.resolve() not in _held and path.is_file():
            with open(path, "r+b") as file:
                if not _lock(file.fileno()):
                    raise _busy(path.parent)


def _busy(folder: Path) -> FolderBusy:
    record = _read_record(folder)
    who = "another process"
    if record:
        who = f"process {record.get('pid')} on {record.get('host')} (since {record.get('since')})"
    return FolderBusy(
        f"{str(folder)!r} is being written by {who}; wait until it ends, or choose another folder"
    )


def _read_record(folder: Path) -> dict[str, Any]:
    try:
        record = json.loads((folder / NAME).read_bytes())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> bool:
        """Locks a byte behind the record, since what is locked cannot be read by others."""
        os.lseek(file, 2 * _SIZE, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _lock(file: int) -> bool:
        """Whether the file is ours now; also true on file systems that know no locks."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        except OSError:
            return True
        return True


def release_all() -> None:
    """Gives back all rights of this process, as at its end."""
    for lock in list(_held.values()):
        lock.release()


def _forget_all() -> None:
    """In a forked child: the rights are the parent's, and must not outlive it."""
    for lock in list(_held.values()):
        lock._close()


atexit.register(release_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
