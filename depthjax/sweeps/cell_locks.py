"""Who works at which cell: a lock for each cell, which ends with the process that holds it.

The locks are those of run folders (`depthjax.folders.lock`), on folders made for the purpose. Locks
may not reach from one machine to another, so a process also renews the time of its lock file, and
others take it for alive as long as that is recent.
"""

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from depthjax.files import CannotWrite, cannot_write
from depthjax.folders import lock as locks
from depthjax.folders.lock import FolderBusy, FolderLock

ALIVE = 300.0
"""Seconds without a sign of life after which a process on another machine counts as gone."""


class CellLocks:
    """The rights to work at something, by name.

    Args:
        folder: holds a folder for each right that is taken.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ours: dict[str, FolderLock] = {}

    def take(self, name: str, *, tries: int = 1) -> None:
        """Takes a right; it ends with `give_back` or with this process.

        Args:
            name: of the right.
            tries: how often another process is given a moment to give it back.

        Raises:
            FolderBusy: if another process has it.
            CannotWrite: if the lock cannot be written.
        """
        if self._is_alive_elsewhere(name):
            raise FolderBusy(f"another machine works at {name}")
        self._ours[name] = _acquire(self._folder / name, tries)

    def give_back(self, name: str) -> None:
        """Gives a right back, if this process has it."""
        if (lock := self._ours.pop(name, None)) is not None:
            _let_go(lock)

    @contextmanager
    def held(self, name: str) -> Iterator[None]:
        """Holds a right that nobody else wants; others only look whether it is taken.

        Raises:
            CannotWrite: if the lock cannot be written.
        """
        self.take(name, tries=100)
        try:
            yield
        finally:
            self.give_back(name)

    def check(self, name: str) -> None:
        """Returns if a right that this process has taken is still its own, or was not taken.

        Raises:
            FolderLost: if the lock was removed meanwhile.
        """
        if name in self._ours:
            self._ours[name].check()

    def beat(self, name: str) -> None:
        """Tells other machines that this process is alive."""
        with suppress(OSError):
            os.utime(self._folder / name / locks.NAME)

    def names(self) -> set[str]:
        """The rights that are taken, or were taken by a process that is gone."""
        return {entry.name for entry in self._entries()}

    def is_alive(self, name: str) -> bool:
        """Whether a living process has a right."""
        if name in self._ours or self._is_alive_elsewhere(name):
            return True
        try:
            locks.check_free(self._folder / name)
        except FolderBusy:
            return True
        except OSError:
            return False
        return False

    def tidy(self) -> None:
        """Removes what processes that are gone have left behind."""
        for entry in self._entries():
            if entry.name not in self._ours and not self._is_alive_elsewhere(entry.name):
                with suppress(ValueError):  # somebody works there
                    _let_go(_acquire(entry))

    def _entries(self) -> list[Path]:
        return sorted(self._folder.iterdir()) if self._folder.is_dir() else []

    def _is_alive_elsewhere(self, name: str) -> bool:
        file = self._folder / name / locks.NAME
        try:
            host = json.loads(file.read_bytes())["host"]
            age = time.time() - file.stat().st_mtime
        except (OSError, ValueError, KeyError, TypeError):
            return False
        return host != socket.gethostname() and age < ALIVE


def _acquire(folder: Path, tries: int = 1) -> FolderLock:
    """A lock on a folder that is made for it; tries again if another process has it."""
    for left in reversed(range(tries + 2)):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return locks.acquire(folder)
        except FolderBusy:
            if left <= 2:
                raise
            time.sleep(0.01)
        except OSError as error:
            raise cannot_write(folder, error) from error
        except CannotWrite as error:
            # The process that had it has removed the folder just now.
            if not left or not isinstance(error.__cause__, FileNotFoundError):
                raise
    raise AssertionError("the loop returns or raises")


def _let_go(lock: FolderLock) -> None:
    """Releases a lock and removes its folder, unless another process has taken it meanwhile."""
    lock.release()
    with suppress(OSError):
        lock.folder.rmdir()
