"""Turns that alternate between contenders, so that what slows the machine slows them all."""

import math
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

from .job import Job
from .workers import Worker, WorkerError

SAME = 1e-3
"""Most that the distances of two contenders' embeddings may differ, relative."""
Start = Callable[[str, Job], Worker]
"""A contender and its job -> a worker."""


def race(
    start: Start,
    entries: Mapping[str, tuple[str, Job]],
    optional: frozenset[str] | tuple[str, ...] = (),
    *,
    rounds: int,
    steps: int,
    turn_seconds: float,
    questions: Mapping[str, tuple[str, ...]] | None = None,
) -> dict[str, Any]:
    """Seconds a step of every entry in every round.

    Args:
        start: makes a worker of a contender and a job.
        entries: by name, the contender and its job.
        optional: entries that may be absent; the others' failures end the race.
        rounds: turns of each entry; the order is turned round after every round.
        steps: of one turn; 0 for as many as the fastest entry makes in `turn_seconds`.
        turn_seconds: see `steps`.
        questions: requests put to an entry after the last round.

    Returns:
        `steps` (of a turn) and `entries`: for each name `seconds` (a step, by round),
        `first_step_seconds`, `start_seconds`, `memory`, `about` and the answers to its questions;
        or `absent`, the reason.

    Raises:
        WorkerError: if an entry fails that is not optional, or if entries of the same job do not
            compute the same embedding.
    """
    found: dict[str, Any] = {}
    with ExitStack() as stack:
        workers: dict[str, Worker] = {}

        def attempt(name: str, act: Callable[[], None]) -> None:
            try:
                act()
            except WorkerError as error:
                if name not in optional:
                    raise WorkerError(f"{name} failed: {error}") from error
                workers.pop(name, None)
                found[name] = {"absent": str(error)}

        def prepare(name: str) -> None:
            contender, job = entries[name]
            worker = workers[name] = stack.enter_context(start(contender, job))
            found[name] = {
                "start_seconds": worker.start_seconds,
                "first_step_seconds": worker.ask("steps", 1),
                "distance": worker.ask("distance"),
                "about": worker.ask("about"),
                "seconds": [],
            }
            pace[name] = worker.ask("steps", 2) / 2

        pace: dict[str, float] = {}
        for name in entries:
            attempt(name, lambda name=name: prepare(name))
        _check_same(entries, found)
        if not steps:
            fastest = min(pace[name] for name in workers)
            steps = max(2, math.ceil(turn_seconds / max(fastest, 1e-9)))
        for turn in range(rounds):
            for name in list(workers)[:: -1 if turn % 2 else 1]:

                def go(name: str = name) -> None:
                    found[name]["seconds"].append(workers[name].ask("steps", steps) / steps)

                attempt(name, go)
        for name in list(workers):

            def close(name: str = name) -> None:
                for question in ("memory", *(questions or {}).get(name, ())):
                    found[name][question] = workers[name].ask(question)

            attempt(name, close)
    return {"steps": steps, "entries": found}


def _check_same(entries: Mapping[str, tuple[str, Job]], found: Mapping[str, Any]) -> None:
    """Whoever got the same job must start equally far from the photographs' embedding."""
    first: dict[str, tuple[str, float]] = {}
    for name, (_, job) in entries.items():
        if "distance" not in found[name]:
            continue
        here = found[name]["distance"]
        known, there = first.setdefault(job.to_json(), (name, here))
        if not abs(here - there) <= SAME * abs(there):
            raise WorkerError(
                f"{name} and {known} do not compute the same embedding: the start is {here:g} and"
                f" {there:g} from the photographs"
            )
