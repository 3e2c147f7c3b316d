"""The folder of a sweep: what is finished, what failed, what is running.

    sweep.json             the list of cells
    cells/HASH.parquet     the rows of a finished cell, with the cell itself in the file's metadata
    failed/HASH.json       the tracebacks of a cell that has no result yet
    running/HASH.json      who is at a cell; stale where its process is gone
    unfinished/HASH/       the state of a descent that is going on

`cells` is one Parquet data set: `pyarrow.dataset.dataset("…/cells")` and pandas read it as a whole.
"""

import io
import json
import os
import shutil
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from depthjax.files import write_atomically
from depthjax.sweeps.cells import Cell, cell_hash

_KEY = b"depthjax.cell"
_ALIVE = 300.0
"""Seconds after which a worker on another machine that gives no sign of life counts as gone."""


class CannotWrite(ValueError):
    """The disk is full or the folder not ours: no fault of a cell, and others would fail too."""


class Result(NamedTuple):
    """A finished cell's file.

    Fields:
        table: its rows, a `pyarrow.Table`.
        seconds: that it took.
    """

    table: Any
    seconds: float


@dataclass(frozen=True)
class Status:
    """Where a sweep stands; every cell is in one of the first four, by its hash.

    Fields:
        done: finished.
        running: by a process that is alive.
        failed: given up, with the last failure of each.
        waiting: to be done; with those whose file was damaged.
        damaged: files that are not what their name says, and what is wrong with them.
        foreign: names of files among the results that belong to no cell of the list.
        seconds: of each finished cell.
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
        """At the pace of the finished cells, with the workers that run now; None without any."""
        if not self.seconds:
            return None
        remaining = len(self.running) / 2 + len(self.waiting)
        return sum(self.seconds) / len(self.seconds) * remaining / max(1, len(self.running))


class SweepFolder:
    """A sweep on disk. Every file appears whole or not at all, and any process may write.

    Args:
        folder: where it lies.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.path = Path(folder)

    def begin(self, cells: Sequence[Cell]) -> None:
        """Writes the list of cells; results that are there already count.

        Raises:
            ValueError: for no cells or one twice, or a folder that holds something else.
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
        known = not self.path.exists() or (self.path / "sweep.json").is_file()
        if not known and (not self.path.is_dir() or any(self.path.iterdir())):
            raise ValueError(f"{str(self.path)!r} exists and is no sweep; choose another --output")
        content = json.dumps({"cells": [dict(cell) for cell in cells]}, indent=1) + "\n"
        file = self.path / "sweep.json"
        if not file.is_file() or file.read_text(encoding="utf-8") != content:
            self._write(file, content.encode())

    def cells(self) -> list[dict[str, Any]]:
        """The list that was last begun with.

        Raises:
            ValueError: if there is none.
        """
        file = self.path / "sweep.json"
        if not file.is_file():
            raise ValueError(f"no sweep in {str(self.path)!r}: it has no sweep.json")
        return json.loads(file.read_text(encoding="utf-8"))["cells"]

    def write_result(self, cell: Cell, rows: Sequence[Mapping[str, Any]], seconds: float) -> None:
        """A cell is finished: its rows, with its name as their first column.

        Args:
            cell: what was run.
            rows: of numbers and strings, all with the same names; one at least.
            seconds: that it took.

        Raises:
            CannotWrite: if it cannot be written.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        name = cell_hash(cell)
        table = pa.Table.from_pylist([{"cell": name, **row} for row in rows])
        record = {"cell": dict(cell), "seconds": seconds, "host": socket.gethostname()}
        content = io.BytesIO()
        pq.write_table(
            table.replace_schema_metadata({_KEY: json.dumps(record)}),
            content,
            compression="zstd",
            write_page_checksum=True,
        )
        self._write(self._result(name), content.getvalue())
        self._remove(self._failure(name))
        shutil.rmtree(self.unfinished(cell), ignore_errors=True)

    def read_result(self, name: str) -> Result:
        """The rows of a finished cell, every byte checked.

        Raises:
            ValueError: in one line, if the file is truncated, damaged or another cell's.
            FileNotFoundError: if the cell is not finished.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        content = self._result(name).read_bytes()
        try:
            # Without threads: they cost more than such a table, and may outlive the interpreter.
            file = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
            table = file.read(use_threads=False)
        except (pa.ArrowException, OSError) as error:
            kind = "empty" if not content else f"{len(content)} bytes that are no whole table"
            raise ValueError(f"{kind} ({' '.join(str(error).split())[:120]})") from error
        try:
            record = json.loads((table.schema.metadata or {})[_KEY])
            other = cell_hash(record["cell"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError("a table, but not of a cell") from error
        if other != name:
            raise ValueError(f"the result of another cell, {other}")
        return Result(table, float(record["seconds"]))

    def failures(self, name: str) -> list[dict[str, Any]]:
        """What went wrong with a cell so far, the last at the end.

        For each: `kind`, `message`, `traceback`,
        `when` and `where`.
        """
        try:
            return json.loads(self._failure(name).read_text(encoding="utf-8"))["failures"]
        except (OSError, ValueError, KeyError):
            return []

    def write_failure(self, cell: Cell, kind: str, message: str, traceback: str = "") -> int:
        """Adds to what went wrong with a cell.

        Returns:
            How often it has failed now.

        Raises:
            CannotWrite: if it cannot be written.
        """
        name = cell_hash(cell)
        failure = {"kind": kind, "message": message, "traceback": traceback}
        failure |= {"when": _now(), "where": f"{socket.gethostname()}:{os.getpid()}"}
        failures = [*self.failures(name), failure]
        text = json.dumps({"cell": dict(cell), "failures": failures}, indent=1) + "\n"
        self._write(self._failure(name), text.encode())
        return len(failures)

    def forget_failures(self) -> None:
        """Every cell that failed may be tried again as often as at first."""
        for file in self._files("failed", "*.json"):
            self._remove(file)

    def mark_running(self, cell: Cell) -> None:
        """This process is at a cell."""
        text = json.dumps({"host": socket.gethostname(), "pid": os.getpid(), "since": _now()})
        self._write(self._marker(cell_hash(cell)), f"{text}\n".encode())

    def beat(self, cell: Cell) -> None:
        """This process is still at it."""
        with suppress(OSError):
            os.utime(self._marker(cell_hash(cell)))

    def unmark(self, cell: Cell) -> None:
        """This process has left a cell."""
        self._remove(self._marker(cell_hash(cell)))

    def unfinished(self, cell: Cell) -> Path:
        """Where a cell may keep the state of what it is at."""
        return self.path / "unfinished" / cell_hash(cell)

    def status(self, attempts: int = 3, cells: Iterable[Cell] | None = None) -> Status:
        """Where the sweep stands; every result is read and checked.

        Args:
            attempts: failures after which a cell is given up.
            cells: to ask about; by default those of `sweep.json`.
        """
        names = [cell_hash(cell) for cell in (self.cells() if cells is None else cells)]
        there = {file.name for file in self._files("cells", "*")}
        done: list[str] = []
        seconds: list[float] = []
        damaged: dict[str, str] = {}
        for name in names:
            if self._result(name).name not in there:
                continue
            try:
                seconds.append(self.read_result(name).seconds)
                done.append(name)
            except FileNotFoundError:
                continue
            except ValueError as error:
                damaged[name] = str(error)
        finished = set(done)
        rest = [name for name in names if name not in finished]
        running = [name for name in rest if self._is_running(name)]
        with_failures = {file.stem for file in self._files("failed", "*.json")}
        failed = {
            name: failures[-1]
            for name in rest
            if name in with_failures and name not in running
            if len(failures := self.failures(name)) >= attempts
        }
        taken = {*running, *failed}
        waiting = [name for name in rest if name not in taken]
        ours = {self._result(name).name for name in names}
        foreign = sorted(name for name in there - ours if not name.startswith("."))
        return Status(
            *(tuple(done), tuple(running), failed, tuple(waiting)),
            *(damaged, tuple(foreign), tuple(seconds)),
        )

    def table(self, cells: Iterable[Cell] | None = None) -> Any:
        """The rows of all finished cells, in the order of the list, as one `pyarrow.Table`.

        Raises:
            ValueError: if none is finished, or a file is damaged.
        """
        import pyarrow as pa

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

    def tidy(self) -> None:
        """Removes what processes that are gone have left behind, results and states excepted."""
        for file in self._files("running", "*.json"):
            if not self._is_running(file.stem):
                self._remove(file)
        for kind in ("cells", "failed", "running", "."):
            for file in self._files(kind, ".*.tmp"):
                with suppress(OSError):
                    if time.time() - file.stat().st_mtime > _ALIVE:
                        file.unlink()

    def _is_running(self, name: str) -> bool:
        file = self._marker(name)
        try:
            marker = json.loads(file.read_text(encoding="utf-8"))
            age = time.time() - file.stat().st_mtime
        except (OSError, ValueError):
            return False
        if marker["host"] != socket.gethostname():
            return age < _ALIVE
        try:
            os.kill(marker["pid"], 0)
        except PermissionError:
            return True
        except OSError:
            return False
        return True

    def _result(self, name: str) -> Path:
        return self.path / "cells" / f"{name}.parquet"

    def _failure(self, name: str) -> Path:
        return self.path / "failed" / f"{name}.json"

    def _marker(self, name: str) -> Path:
        return self.path / "running" / f"{name}.json"

    def _files(self, kind: str, pattern: str) -> list[Path]:
        folder = self.path / kind
        return sorted(folder.glob(pattern)) if folder.is_dir() else []

    def _write(self, file: Path, content: bytes) -> None:
        try:
            write_atomically(file, content)
        except ValueError as error:
            raise CannotWrite(str(error)) from error

    def _remove(self, file: Path) -> None:
        with suppress(OSError):
            file.unlink()


def load_sweep(folder: str | os.PathLike[str]) -> Any:
    """The rows of all finished cells of a sweep as one `pyarrow.Table` (`.to_pandas()`).

    Raises:
        ValueError: if there is no sweep, nothing is finished, or a file is damaged.
    """
    return SweepFolder(folder).table()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
