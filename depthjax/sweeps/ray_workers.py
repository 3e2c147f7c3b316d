"""Ray's workers: one process each, which keeps the programs that it has compiled."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from depthjax.errors import in_one_line, require
from depthjax.files import CannotWrite
from depthjax.sweeps.attempt import Outcome, RunCell, attempt
from depthjax.sweeps.cells import cell_hash
from depthjax.sweeps.folder import SweepFolder
from depthjax.sweeps.order import Queue


@dataclass(frozen=True)
class Workers:
    """Ray's workers, and what each of them gets.

    Fields:
        count: how many; None for as many as there is room for.
        address: of a running Ray cluster (`auto`, `ray://HOST:10001`); None starts one here.
        cpus: CPUs of each worker.
        gpus: GPUs of each worker, or a fraction of one; None for one if there are any.
        all_cores: whether workers on this machine share all of its cores, also where they are fewer
            than the cores. Without it each runs on `cpus` of them, as if there were no others.
        dashboard: whether Ray's dashboard is started; it comes with `ray[default]`.

    Raises:
        ValueError: for no worker, or workers without CPUs.
    """

    count: int | None = None
    address: str | None = None
    cpus: float | int = 1
    gpus: float | int | None = None
    all_cores: bool = True
    dashboard: bool = False

    def __post_init__(self) -> None:
        require(self.count is None or self.count >= 1, "count of workers", self.count, "at least 1")
        require(self.cpus > 0, "cpus of a worker", self.cpus, "above 0")
        require(self.gpus is None or self.gpus >= 0, "gpus of a worker", self.gpus, "at least 0")


class _Worker:
    """Runs cells one after the other; on the sweep's own machine with cores of its own."""

    def __init__(self, cores: list[int], settings: dict[str, str]) -> None:
        os.environ.update(settings)
        if cores:
            # Before JAX starts its threads: two workers on the same cores are slower than one.
            os.sched_setaffinity(0, cores)

    def attempt(self, folder: str, cell: Any, run_cell: RunCell, attempts: int) -> Outcome:
        return attempt(SweepFolder(folder), cell, run_cell, attempts)


def run_by_ray(
    queue: Queue,
    place: SweepFolder,
    run_cell: RunCell,
    attempts: int,
    tell: Callable[[Outcome], None],
    workers: Workers,
) -> None:
    """Gives every worker one cell at a time until there are none left.

    Ray starts a worker that dies again, and its cell is tried again, `attempts` times in all.

    Raises:
        CannotWrite: at the first result that cannot be written.
        ValueError: without Ray, or without room for the workers.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise ValueError(
            "several workers are Ray's; pip install 'depthjax[sweep]', or leave out --workers and"
            " --ray_address: the cells then run one after another"
        ) from error
    ours = not ray.is_initialized()
    if ours:
        _start(ray, workers)
    try:
        actors = _place(ray, workers, len(queue), attempts)
        _serve(ray, actors, queue, place, run_cell, attempts, tell)
    finally:
        if ours:
            ray.shutdown()


def _start(ray: Any, workers: Workers) -> None:
    settings: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if workers.address is not None:
        settings["address"] = workers.address
    else:
        cores = max(os.cpu_count() or 1, int((workers.count or 1) * workers.cpus))
        settings |= {"num_cpus": cores, "include_dashboard": workers.dashboard}
    try:
        ray.init(**settings)
    # Of sockets whose names are too long, of memory and ports that are not to be had.
    except (OSError, RuntimeError) as error:
        way = (
            "set TMPDIR to a shorter path, such as /tmp"
            if "path length" in str(error)
            else "leave out --workers, and the cells run one after another"
        )
        raise ValueError(f"Ray does not start ({in_one_line(error, most=200)}); {way}") from error


def _place(ray: Any, workers: Workers, cells: int, attempts: int) -> list[Any]:
    """Starts the actors, each with its share of the cores of this machine."""
    room = ray.cluster_resources()
    gpus = workers.gpus
    if gpus is None:
        gpus = 1 if room.get("GPU", 0) >= 1 else 0
    fits = room.get("CPU", 0) / workers.cpus
    if gpus:
        fits = min(fits, room.get("GPU", 0) / gpus)
    count = workers.count or int(fits)
    if not 1 <= count <= fits:
        raise ValueError(
            f"{count} workers of {workers.cpus:g} CPUs and {gpus:g} GPUs do not fit into"
            f" {room.get('CPU', 0):g} CPUs and {room.get('GPU', 0):g} GPUs; take fewer, or smaller"
            " ones"
        )
    count = min(count, cells)
    alone = workers.address is None and not gpus and hasattr(os, "sched_getaffinity")
    cores = sorted(os.sched_getaffinity(0)) if alone else []
    settings = {"XLA_PYTHON_CLIENT_MEM_FRACTION": f"{0.9 * gpus:.3f}"} if 0 < gpus < 1 else {}
    actor = ray.remote(_Worker).options(
        num_cpus=workers.cpus,
        num_gpus=gpus,
        max_restarts=-1,
        max_task_retries=attempts - 1,
    )
    if not workers.all_cores:
        cores = cores[: count * max(1, int(workers.cpus))]
    return [actor.remote(cores[number::count], settings) for number in range(count)]


def _serve(
    ray: Any,
    actors: list[Any],
    queue: Queue,
    place: SweepFolder,
    run_cell: RunCell,
    attempts: int,
    tell: Callable[[Outcome], None],
) -> None:
    folder = str(place.path.absolute())
    busy: dict[Any, tuple[int, Any]] = {}

    def give(number: int) -> None:
        cell = queue.take(number)
        if cell is not None:
            ref = actors[number].attempt.remote(folder, cell, run_cell, attempts)
            busy[ref] = number, cell

    for number in range(len(actors)):
        give(number)
    while busy:
        ready, _ = ray.wait(list(busy), num_returns=1)
        for ref in ready:
            number, cell = busy.pop(ref)
            try:
                outcome = ray.get(ref)
            except ray.exceptions.RayActorError as error:
                outcome = _died(place, cell, error, attempts)
            except ray.exceptions.RayError as error:
                raise ValueError(
                    f"Ray's workers cannot run cells ({' '.join(str(error).split())[-300:]}); can"
                    f" they import {run_cell.__module__!r}?"
                ) from error
            tell(outcome)
            if outcome.kind == "unwritable":
                raise CannotWrite(outcome.message)
            if outcome.kind == "again":
                queue.put_back(cell)
            give(number)


def _died(place: SweepFolder, cell: Any, error: Exception, attempts: int) -> Outcome:
    """Ray has given up: the cell has killed its worker `attempts` times, say for lack of memory."""
    message = f"its worker died {attempts} times (out of memory?)"
    text = in_one_line(error, most=2000)
    while place.write_failure(cell, type(error).__name__, message, text) < attempts:
        pass
    return Outcome(cell_hash(cell), "failed", message)
