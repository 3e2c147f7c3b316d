"""Turns that alternate between contenders, so that what slows the machine slows them all."""

import math
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any

from .disturbance import MOST, Watch
from .job import Job
from .workers import Worker, WorkerError

SAME = 1e-3
"""Most that the distances of two contenders' embeddings may differ, relative."""
TRIES = 3
"""How often a turn is taken, at most, until nobody disturbs it; the least disturbed one counts."""
MOST_STEPS = 1000
"""Of a turn: the first two steps, by which a turn is planned, may have taken no measurable time."""
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
        `steps` (of a turn) and `entries`: for each name `seconds` (a step, by round), `others`
        (the share of the processors that other processes took meanwhile, None if nobody knows),
        `first_step_seconds`, `start_seconds`, `memory`, `about` and the answers to its questions;
        or `absent`, the reason.

    Raises:
        WorkerError: if an entry fails that is not optional, or if entries of the same job do not
            compute the same embedding.
    """
    with ExitStack() as stack:
        field = _Field(start, entries, optional, stack)
        for name in entries:
            field.attempt(name, field.prepare)
        _check_same(entries, field.results)
        if not steps:
            fastest = min(field.pace[name] for name in field.workers)
            steps = min(max(2, math.ceil(turn_seconds / max(fastest, 1e-9))), MOST_STEPS)
        for turn in range(rounds):
            for name in list(field.workers)[:: -1 if turn % 2 else 1]:
                field.attempt(name, partial(field.take_turn, steps=steps))
        for name in list(field.workers):
            asked = ("memory", *(questions or {}).get(name, ()))
            field.attempt(name, partial(field.answer, questions=asked))
    return {"steps": steps, "entries": field.results}


class _Field:
    """The entries of a race: their workers, and what was measured of each so far."""

    def __init__(
        self,
        start: Start,
        entries: Mapping[str, tuple[str, Job]],
        optional: frozenset[str] | tuple[str, ...],
        stack: ExitStack,
    ) -> None:
        self._start, self._entries, self._optional, self._stack = start, entries, optional, stack
        self.workers: dict[str, Worker] = {}
        self.pace: dict[str, float] = {}
        self.results: dict[str, Any] = {}

    def attempt(self, name: str, act: Callable[[str], None]) -> None:
        """Does something with an entry; where that fails, an optional entry is out."""
        try:
            act(name)
        except WorkerError as error:
            if name not in self._optional:
                raise WorkerError(f"{name} failed: {error}") from error
            self.workers.pop(name, None)
            self.results[name] = {"absent": str(error)}

    def prepare(self, name: str) -> None:
        """Starts the worker, and lets it make its first steps."""
        contender, job = self._entries[name]
        worker = self.workers[name] = self._stack.enter_context(self._start(contender, job))
        self.results[name] = {
            "start_seconds": worker.start_seconds,
            "first_step_seconds": worker.ask("steps", 1),
            "distance": worker.ask("distance"),
            "about": worker.ask("about"),
            "seconds": [],
            "others": [],
        }
        self.pace[name] = worker.ask("steps", 2) / 2

    def take_turn(self, name: str, *, steps: int) -> None:
        """Measures the seconds of a step; where others disturb the turn, it is taken again."""
        turns = []
        for _ in range(TRIES):
            watch = Watch(getattr(self.workers[name], "pid", None))
            seconds = self.workers[name].ask("steps", steps) / steps
            turns.append((watch.share(), seconds))
            if turns[-1][0] is None or turns[-1][0] <= MOST:
                break
        others, seconds = min(turns, key=lambda turn: turn[0] or 0.0)
        self.results[name]["seconds"].append(seconds)
        self.results[name]["others"].append(others)

    def answer(self, name: str, *, questions: tuple[str, ...]) -> None:
        """Puts the questions after the last round."""
        for question in questions:
            self.results[name][question] = self.workers[name].ask(question)


def _check_same(entries: Mapping[str, tuple[str, Job]], results: Mapping[str, Any]) -> None:
    """Whoever got the same job must start equally far from the photographs' embedding."""
    first: dict[str, tuple[str, float]] = {}
    for name, (_, job) in entries.items():
        if "distance" not in results[name]:
            continue
        here = results[name]["distance"]
        known, there = first.setdefault(job.to_json(), (name, here))
        if not abs(here - there) <= SAME * abs(there):
            raise WorkerError(
                f"{name} and {known} do not compute the same embedding: the start is {here:g} and"
                f" {there:g} from the photographs"
            )
