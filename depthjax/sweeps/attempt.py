"""One attempt at a cell; whoever makes it writes what comes of it."""

import errno
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any, NamedTuple, TypeAlias

from depthjax.errors import in_one_line
from depthjax.files import CannotWrite
from depthjax.folders.lock import FolderBusy, FolderLost
from depthjax.sweeps.cells import Cell, cell_hash
from depthjax.sweeps.folder import SweepFolder

_BEAT = 10.0
_STORAGE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)


RunCell: TypeAlias = Callable[[Cell, Path], Sequence[Mapping[str, Any]]]
"""A pure function of a cell: the rows of its result. The folder is for its intermediate state, so
that a cell that was cut off can go on; it is removed when the cell is done."""


class Outcome(NamedTuple):
    """What came of one attempt at a cell.

    Fields:
        name: the cell's hash.
        kind: `done`; `again`, if it failed and will be tried again; `failed`, if it was given up;
            `elsewhere`, if another process works at it or has finished it; or `unwritable`.
        message: what went wrong, in one line.
    """

    name: str
    kind: str
    message: str = ""


def attempt(place: SweepFolder, cell: Cell, run_cell: RunCell, attempts: int) -> Outcome:
    """Runs a cell and writes its rows, or what went wrong.

    Args:
        place: the folder of the sweep.
        cell: what to run.
        run_cell: computes the rows.
        attempts: the number of failures after which the cell is given up.
    """
    name = cell_hash(cell)
    try:
        place.take(cell)
    except FolderBusy:
        return Outcome(name, "elsewhere")
    except ValueError as error:
        return Outcome(name, "unwritable", str(error))
    try:
        if place.is_done(name):  # another process was faster
            return Outcome(name, "elsewhere")
        return _run(place, cell, run_cell, attempts)
    except FolderLost as error:  # others took the cell, or somebody removed the sweep
        return Outcome(name, "elsewhere" if place.is_begun else "unwritable", str(error))
    except CannotWrite as error:
        return Outcome(name, "unwritable", str(error))
    finally:
        place.release(cell)


def _run(place: SweepFolder, cell: Cell, run_cell: RunCell, attempts: int) -> Outcome:
    name = cell_hash(cell)
    began = time.monotonic()
    try:
        with _beating(place, cell):
            rows = run_cell(cell, place.unfinished(cell))
    except Exception as error:
        message = in_one_line(error, most=300)
        if _is_of_storage(error):
            return Outcome(name, "unwritable", message)
        text = traceback.format_exc()
        count = place.write_failure(cell, type(error).__name__, message, text)
        return Outcome(name, "failed" if count >= attempts else "again", message)
    place.write_result(cell, rows, time.monotonic() - began)
    return Outcome(name, "done")


@contextmanager
def _beating(place: SweepFolder, cell: Cell) -> Iterator[None]:
    """Says now and then that the cell is at work, also while it loads, compiles or measures."""
    ended = Event()

    def beat() -> None:
        while not ended.wait(_BEAT):
            place.beat(cell)

    thread = Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _is_of_storage(error: BaseException | None) -> bool:
    """Whether an error, or one that caused it, is about storage: it would meet every cell."""
    while error is not None:
        if isinstance(error, CannotWrite) or getattr(error, "errno", None) in _STORAGE:
            return True
        error = error.__cause__ or error.__context__
    return False
