"""Runs the cells of a sweep: one after the other in this process, or in Ray's workers.

Ray places workers on machines and GPUs, and starts dead ones again. Our part is to choose which
cell goes to which worker, and that whoever computes a result writes it, so that it is safe before
anyone hears of it.
"""

import os
from collections.abc import Callable, Sequence

from depthjax.files import CannotWrite
from depthjax.sweeps.attempt import Outcome, RunCell, attempt
from depthjax.sweeps.cells import Cell, cell_hash
from depthjax.sweeps.folder import Status, SweepFolder
from depthjax.sweeps.order import Queue
from depthjax.sweeps.ray_workers import Workers, run_by_ray


def run_sweep(
    cells: Sequence[Cell],
    run_cell: RunCell,
    folder: str | os.PathLike[str],
    *,
    program: Callable[[Cell], str] = lambda cell: "",
    attempts: int = 3,
    workers: Workers | int | None = None,
    on_begin: Callable[[Status], None] | None = None,
    on_outcome: Callable[[Outcome], None] | None = None,
) -> Status:
    """Runs the cells that have no result yet, until each is done or given up.

    Several processes may run sweeps in the same folder; no cell is run by two at once. Cells that
    another process is still working at when all others are done are left to it.

    Args:
        cells: the list, without duplicates.
        run_cell: a function of a module that workers can import.
        folder: of the sweep; it may hold results already.
        program: names a cell's compiled program; cells with the same one go to the same worker.
        attempts: how often a cell may fail, or kill its worker, before it is given up.
        workers: Ray's workers, or their number; None runs the cells in this process.
        on_begin: called with the state of the sweep before anything is run.
        on_outcome: called after every attempt.

    Returns:
        Where the sweep stands at the end.

    Raises:
        CannotWrite: if results cannot be written: the sweep stops, and what is done is kept.
        ValueError: for a folder of something else, and for workers without room or without Ray.
    """
    workers = Workers(workers) if isinstance(workers, int) else workers
    count = None if workers is None else workers.count
    if attempts < 1 or (count is not None and count < 1):
        raise ValueError(f"attempts and workers must be at least 1, got {attempts} and {count}")
    place = SweepFolder(folder)
    place.begin(cells)
    kinds: set[str] = set()

    def tell(outcome: Outcome) -> None:
        kinds.add(outcome.kind)
        if on_outcome is not None:
            on_outcome(outcome)

    with place.at_work():
        place.tidy()
        status = place.status(attempts, cells)
        if on_begin is not None:
            on_begin(status)
        # A process that was at a cell may have died since, and left it without a result.
        while status.waiting and (not kinds or "elsewhere" in kinds):
            kinds.clear()
            waiting = set(status.waiting)
            queue = Queue((cell for cell in cells if cell_hash(cell) in waiting), program)
            if workers is None:
                _run_here(queue, place, run_cell, attempts, tell)
            else:
                run_by_ray(queue, place, run_cell, attempts, tell, workers)
            status = place.status(attempts, cells)
    return status


def _run_here(
    queue: Queue,
    place: SweepFolder,
    run_cell: RunCell,
    attempts: int,
    tell: Callable[[Outcome], None],
) -> None:
    while (cell := queue.take(0)) is not None:
        outcome = attempt(place, cell, run_cell, attempts)
        tell(outcome)
        if outcome.kind == "unwritable":
            raise CannotWrite(outcome.message)
        if outcome.kind == "again":
            queue.put_back(cell)
