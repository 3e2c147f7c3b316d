"""One attempt at a cell: its rows or its traceback, written by whoever made them."""

import errno
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from depthjax.sweeps.cells import Cell, cell_hash
from depthjax.sweeps.folder import CannotWrite, SweepFolder

_BEAT = 10.0
_STORAGE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)


@dataclass(frozen=True)
class Context:
    """What a cell may use that its result does not depend on.

    Fields:
        unfinished: a folder for its state, to go on from if it is cut off; removed when it is done.
        beat: says that it is still at work; to be called now and then.
    """

    unfinished: Path
    beat: Callable[[], None]


RunCell: TypeAlias = Callable[[Cell, Context], Sequence[Mapping[str, Any]]]
"""A pure function of a cell: the rows of its result."""


class Outcome(NamedTuple):
    """What became of one attempt at a cell.

    Fields:
        name: the cell's hash.
        kind: `done`, `again` (failed, and to be tried again), `failed` (given up) or `unwritable`.
        message: what went wrong, in one line.
    """

    name: str
    kind: str
    message: str = ""


def attempt(place: SweepFolder, cell: Cell, run_cell: RunCell, attempts: int) -> Outcome:
    """Runs a cell and writes what comes of it, rows or a traceback."""
    name = cell_hash(cell)
    began = last = time.monotonic()

    def beat() -> None:
        nonlocal last
        if time.monotonic() - last > _BEAT:
            last = time.monotonic()
            place.beat(cell)

    try:
        place.mark_running(cell)
        try:
            rows = run_cell(cell, Context(place.unfinished(cell), beat))
        except Exception as error:
            if _disk_is_full(error):
                return Outcome(name, "unwritable", _line(error))
            text = traceback.format_exc()
            count = place.write_failure(cell, type(error).__name__, _line(error), text)
            return Outcome(name, "failed" if count >= attempts else "again", _line(error))
        place.write_result(cell, rows, time.monotonic() - began)
    except CannotWrite as error:
        return Outcome(name, "unwritable", str(error))
    finally:
        with suppress(OSError):
            place.unmark(cell)
    return Outcome(name, "done")


def _disk_is_full(error: BaseException | None) -> bool:
    """Whether an error, or what it came from, is about storage: it would happen to every cell."""
    while error is not None:
        if isinstance(error, CannotWrite) or getattr(error, "errno", None) in _STORAGE:
            return True
        error = error.__cause__ or error.__context__
    return False


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
