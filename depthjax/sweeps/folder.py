"""The folder of a sweep: what is finished, what has failed, what is running.

    sweep.json             the list of cells
    cells/HASH.parquet     the rows of a finished cell
    failed/HASH.json       the tracebacks of a cell that has no result yet
    running/HASH/          locked by the process that works at a cell
    unfinished/HASH/       the intermediate state of a cell
    report.html            all results on one page

`cells` is one Parquet data set: `pyarrow.dataset.dataset("…/cells")` and pandas read it as a whole.
Several processes may write: each locks the cell that it works at (`depthjax.folders.lock`), and a
lock ends with its process. Everything else is derived from `cells` and written again each time.
"""

import json
import os
import shutil
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from depthjax.errors import imported
from depthjax.files import write_atomically
from depthjax.folders import marked
from depthjax.sweeps.cell_locks import ALIVE, CellLocks
from depthjax.sweeps.cells import Cell, cell_hash
from depthjax.sweeps.parquet import Result, decode, encode


@dataclass(frozen=True)
class Status:
    """Where a sweep stands; every cell is in one of the first four fields, by its hash.

    Fields:
        done: finished.
        running: a living process works at it.
        failed: given up, with the last failure of each.
        waiting: has to be done, also because its file was damaged.
        damaged: cells whose file is not what its name says, and what is wrong with it.
        foreign: names of files among the results that belong to no cell of the list.
        seconds: what each finished cell took.
    """

    done: tuple[str, ...]
    running: tuple[str, ...]
    failed: Mapping[str, Mapping[str, Any]]
    waiting: tuple[str, ...]
    damaged: Mapping[str, str]
    foreign: tuple[str, ...]
    seconds: tuple[float, ...]

    @property
    def seconds_left(self) -> float | None:
        """An estimate from the finished cells and the workers that run now; None without a cell.

        Where none runs, such as before a sweep goes on, it is the time of one.
        """
        if not self.seconds:
            return None
        remaining = len(self.running) / 2 + len(self.waiting)
        return sum(self.seconds) / len(self.seconds) * remaining / max(1, len(self.running))


class SweepFolder:
    """A sweep on disk. Every file appears whole or not at all, and any process may write.

    Args:
        folder: its path.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.path = Path(folder)
        self._locks = CellLocks(self.path / "running")

    # ------------------------------------------------------------------- the list of cells

    def begin(self, cells: Sequence[Cell]) -> None:
        """Writes the list of cells; results that are there already count.

        Raises:
            ValueError: for an empty list, for duplicates, and for a folder that holds something
                else.
            CannotWrite: if it cannot be written.
        """
        names = [cell_hash(cell) for cell in cells]
        if not names:
            raise ValueError("a sweep needs at least one cell")
        if len(set(names)) < len(names):
            twice = next(
                cell for name, cell in zip(names, cells, strict=True) if names.count(name) > 1
            )
            raise ValueError(f"a cell is in the list twice: {json.dumps(dict(twice))[:200]}")
        marked.check_ours(self.path, "sweep.json", "sweep")
        content = json.dumps({"cells": [dict(cell) for cell in cells]}, indent=1) + "\n"
        file = self.path / "sweep.json"
        if not file.is_file() or file.read_text(encoding="utf-8") != content:
            write_atomically(file, content.encode())

    @property
    def is_begun(self) -> bool:
        """Whether there is a list of cells."""
        return (self.path / "sweep.json").is_file()

    def cells(self) -> list[dict[str, Any]]:
        """The list that was last begun with.

        Raises:
            ValueError: if there is none.
        """
        if not self.is_begun:
            raise ValueError(f"no sweep in {str(self.path)!r}: it has no sweep.json")
        return json.loads((self.path / "sweep.json").read_text(encoding="utf-8"))["cells"]

    def clear(self) -> None:
        """Removes all that the sweep has written, so that it can begin anew.

        Raises:
            FolderBusy: if a process runs the sweep, or works at one of its cells.
            ValueError: if the folder holds something else, or cannot be emptied.
        """
        marked.clear(self.path, "sweep.json", "sweep")

    # ---------------------------------------------------------------------------- results

    def write_result(self, cell: Cell, rows: Sequence[Mapping[str, Any]], seconds: float) -> None:
        """Writes the result of a finished cell, and removes what belonged to its computation.

        Args:
            cell: what was computed.
            rows: numbers and strings, all rows with the same names; at least one row.
            seconds: that it took.

        Raises:
            CannotWrite: if it cannot be written.
            FolderLost: if the sweep was removed while the cell was computed.
        """
        name = cell_hash(cell)
        self._locks.check(name)
        write_atomically(self._result(name), encode(cell, rows, seconds))
        self._remove_leftovers(name)

    def read_result(self, name: str) -> Result:
        """The rows of a finished cell, every byte checked.

        Raises:
            ValueError: in one line, if the file is truncated, damaged, or that of another cell.
            FileNotFoundError: if the cell is not finished.
        """
        return decode(self._result(name).read_bytes(), name)

    def is_done(self, name: str) -> bool:
        """Whether a cell has a result that can be read."""
        try:
            self.read_result(name)
        except (OSError, ValueError):
            return False
        return True

    def table(self, cells: Iterable[Cell] | None = None) -> Any:
        """The rows of all finished cells, in the order of the list, as one `pyarrow.Table`.

        Raises:
            ValueError: if none is finished, or a file is damaged.
        """
        pa = imported("pyarrow", "a sweep", "pyarrow")

        names = [cell_hash(cell) for cell in (self.cells() if cells is None else cells)]
        tables = []
        for name in names:
            try:
                tables.append(self.read_result(name).table.replace_schema_metadata())
            except FileNotFoundError:
                continue
            except ValueError as error:
                file = str(self._result(name))
                raise ValueError(f"{file!r} is {error}; run the sweep again") from error
        if not tables:
            raise ValueError(f"no cell of {str(self.path)!r} is finished")
        return pa.concat_tables(tables, promote_options="permissive")

    # --------------------------------------------------------------------------- failures

    def failures(self, name: str) -> list[dict[str, Any]]:
        """What went wrong with a cell so far, the latest failure last.

        Each has `kind`, `message`, `traceback`, `when` and `where`.
        """
        try:
            return json.loads(self._failure(name).read_text(encoding="utf-8"))["failures"]
        except (OSError, ValueError, KeyError):
            return []

    def write_failure(self, cell: Cell, kind: str, message: str, traceback: str = "") -> int:
        """Adds a failure to those of a cell.

        Returns:
            How often the cell has failed now.

        Raises:
            CannotWrite: if it cannot be written.
        """
        name = cell_hash(cell)
        failure = {"kind": kind, "message": message, "traceback": traceback}
        now = datetime.now(UTC).isoformat(timespec="seconds")
        failure |= {"when": now, "where": f"{socket.gethostname()}:{os.getpid()}"}
        failures = [*self.failures(name), failure]
        text = json.dumps({"cell": dict(cell), "failures": failures}, indent=1) + "\n"
        write_atomically(self._failure(name), text.encode())
        return len(failures)

    def forget_failures(self) -> None:
        """Lets every cell that failed be tried again as often as at first."""
        for file in self._files("failed", "*.json"):
            _remove(file)

    # ------------------------------------------------------------------------ who does what

    def at_work(self) -> AbstractContextManager[None]:
        """While it lasts, `clear` refuses to remove the sweep.

        Raises:
            CannotWrite: if the lock cannot be written.
        """
        return self._locks.held(f"driver-{socket.gethostname()}-{os.getpid()}")

    def take(self, cell: Cell) -> None:
        """Takes the right to work at a cell; it ends with `release` or with this process.

        Raises:
            FolderBusy: if another process has it.
            CannotWrite: if the lock cannot be written.
        """
        self._locks.take(cell_hash(cell))

    def beat(self, cell: Cell) -> None:
        """Tells other machines that this process still works at a cell."""
        self._locks.beat(cell_hash(cell))

    def release(self, cell: Cell) -> None:
        """Gives the right to work at a cell back."""
        self._locks.give_back(cell_hash(cell))

    def unfinished(self, cell: Cell) -> Path:
        """Where a cell may keep its intermediate state."""
        return self.path / "unfinished" / cell_hash(cell)

    # ---------------------------------------------------------------------- the whole sweep

    def status(self, attempts: int = 3, cells: Iterable[Cell] | None = None) -> Status:
        """Where the sweep stands; every result is read and checked.

        Args:
            attempts: number of failures after which a cell is given up.
            cells: to ask about; by default those of `sweep.json`.
        """
        names = [cell_hash(cell) for cell in (self.cells() if cells is None else cells)]
        files = {file.name for file in self._files("cells", "*")}
        seconds: dict[str, float] = {}
        damaged: dict[str, str] = {}
        for name in names:
            if self._result(name).name not in files:
                continue
            try:
                seconds[name] = self.read_result(name).seconds
            except FileNotFoundError:
                continue
            except ValueError as error:
                damaged[name] = str(error)
        rest = [name for name in names if name not in seconds]
        taken = self._locks.names()
        running = [name for name in rest if name in taken and self._locks.is_alive(name)]
        with_failures = {file.stem for file in self._files("failed", "*.json")}
        failed = {
            name: failures[-1]
            for name in rest
            if name in with_failures and name not in running
            if len(failures := self.failures(name)) >= attempts
        }
        taken = {*running, *failed}
        ours = {self._result(name).name for name in names}
        return Status(
            done=tuple(seconds),
            running=tuple(running),
            failed=failed,
            waiting=tuple(name for name in rest if name not in taken),
            damaged=damaged,
            foreign=tuple(sorted(n for n in files - ours if not n.startswith("."))),
            seconds=tuple(seconds.values()),
        )

    def tidy(self) -> None:
        """Removes what processes that are gone have left behind, except results and states."""
        self._locks.tidy()
        leftovers = {file.stem for file in self._files("failed", "*.json")}
        leftovers |= {folder.name for folder in self._files("unfinished", "*")}
        for name in leftovers:
            if self.is_done(name) and not self._locks.is_alive(name):
                self._remove_leftovers(name)
        for kind in ("cells", "failed", "."):
            for file in self._files(kind, ".*.tmp"):
                with suppress(OSError):
                    if time.time() - file.stat().st_mtime > ALIVE:
                        file.unlink()

    def _remove_leftovers(self, name: str) -> None:
        """Removes the failures and the intermediate state of a cell that is done."""
        _remove(self._failure(name))
        shutil.rmtree(self.path / "unfinished" / name, ignore_errors=True)

    def _result(self, name: str) -> Path:
        return self.path / "cells" / f"{name}.parquet"

    def _failure(self, name: str) -> Path:
        return self.path / "failed" / f"{name}.json"

    def _files(self, kind: str, pattern: str) -> list[Path]:
        folder = self.path / kind
        return sorted(folder.glob(pattern)) if folder.is_dir() else []


def load_sweep(folder: str | os.PathLike[str]) -> Any:
    """The rows of all finished cells of a sweep as one `pyarrow.Table` (`.to_pandas()`).

    Raises:
        ValueError: if there is no sweep, nothing is finished, or a file is damaged.
    """
    return SweepFolder(folder).table()


def _remove(file: Path) -> None:
    with suppress(OSError):
        file.unlink()
