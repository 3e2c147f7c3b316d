"""Runs the cells of a sweep: one after the other in this process, or by Ray's workers.

Placement, GPUs and the death of workers are Ray's; ours is only which cell goes to which warm
worker, and that a result is written by whoever made it, so that it is safe before anyone is told.
"""

import os
from collections.abc import Callable, Sequence

from depthjax.sweeps.attempt import Outcome, RunCell, attempt
from depthjax.sweeps.cells import Cell, Queue, cell_hash
from depthjax.sweeps.folder import CannotWrite, Status, SweepFolder
from depthjax.sweeps.ray_workers import Resources, run_by_ray


def run_sweep(
    cells: Sequence[Cell],
    run_cell: RunCell,
    folder: str | os.PathLike[str],
    *,
    program: Callable[[Cell], str] = lambda cell: "",
    attempts: int = 3,
    workers: int | None = None,
    ray_address: str | None = None,
    worker_cpus: float = 1,
    worker_gpus: float | None = None,
    all_cores: bool = True,
    dashboard: bool = False,
    on_begin: Callable[[Status], None] | None = None,
    on_outcome: Callable[[Outcome], None] | None = None,
) -> Status:
    """Runs the cells that have no result yet; returns once each is done or given up.

    Args:
        cells: the list; equal cells may not be there twice.
        run_cell: a function of a module that workers can import.
        folder: of the sweep; it may hold results already.
        program: what cells with the same compiled program have in common: they go to one worker.
        attempts: how often a cell may fail, or take its worker with it, before it is given up.
        workers: Ray's; None runs in this process, unless there is a `ray_address`: then as many as
            the cluster has room for.
        ray_address: of a running cluster (`auto`, `ray://HOST:10001`); None starts one here.
        worker_cpus, worker_gpus: of each worker; GPUs may be fractions. By default one GPU each
            where there are any.
        all_cores: workers on this machine share all of its cores, also where they are fewer; else
            each runs on no more than `worker_cpus` of them, as if there were no others.
        dashboard: Ray's, in the browser; it comes with `ray[default]`.
        on_begin: told where the sweep stands before anything is run.
        on_outcome: told of every attempt.

    Raises:
        CannotWrite: if results cannot be written: the sweep stops, and what is done is kept.
        ValueError: for a folder that is no sweep's, workers that no machine has room for, and
            workers without Ray.
    """
    if attempts < 1 or (workers is not None and workers < 1):
        raise ValueError(f"attempts and workers must be at least 1, got {attempts} and {workers}")
    place = SweepFolder(folder)
    place.begin(cells)
    place.tidy()
    status = place.status(attempts, cells)
    if on_begin is not None:
        on_begin(status)
    # Cells that another driver runs at this moment would only be done twice.
    todo = set(status.waiting)
    queue = Queue((cell for cell in cells if cell_hash(cell) in todo), program)
    tell = on_outcome or (lambda outcome: None)
    if len(queue):
        if workers is None and ray_address is None:
            _run_here(queue, place, run_cell, attempts, tell)
        else:
            resources = Resources(
                workers, ray_address, worker_cpus, worker_gpus, dashboard, all_cores
            )
            run_by_ray(queue, place, run_cell, attempts, tell, resources)
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
