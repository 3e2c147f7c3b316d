"""How much faster more workers are: the same sweep with several numbers of workers in turn."""

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from depthjax.folders.begin import RunFolder
from depthjax.sweeps.attempt import Outcome, RunCell
from depthjax.sweeps.cells import Cell
from depthjax.sweeps.engine import run_sweep
from depthjax.sweeps.ray_workers import Workers
from depthjax.tables import markdown_table, median_and_range

Row = Mapping[str, Any]


def measure_turn(
    folder: RunFolder,
    turn: int,
    cells: Sequence[Cell],
    run_cell: RunCell,
    workers: Workers,
    program: Callable[[Cell], str],
) -> dict[str, Any]:
    """Runs all cells anew with so many workers; a turn that was cut off begins again.

    Args:
        folder: each turn has a sweep of its own in it.
        turn: its number.
        cells, run_cell, program: as for `run_sweep`; there are more cells than workers.
        workers: with a `count`.

    Returns:
        `turn`, `workers`, `cells`, `seconds`, and `warm_cells_per_minute`: the rate after every
        worker has finished its first cell, which it had to start and to compile for.
    """
    count = workers.count
    assert count is not None and count < len(cells)

    def measure() -> dict[str, Any]:
        place = folder.path / f"turn-{turn}-workers-{count}"
        shutil.rmtree(place, ignore_errors=True)
        ended: list[float] = []

        def note(_: Outcome) -> None:
            ended.append(time.perf_counter())

        began = time.perf_counter()
        run_sweep(cells, run_cell, place, program=program, workers=workers, on_outcome=note)
        warm = ended[-1] - ended[count - 1]
        row = {"turn": turn, "workers": count, "cells": len(cells), "seconds": ended[-1] - began}
        return row | {"warm_cells_per_minute": 60 * (len(ended) - count) / warm}

    return folder.piece(f"turn-{turn}-workers-{count}", measure)


def scaling_table(rows: Sequence[Row]) -> str:
    """A row for each number of workers, as Markdown: medians (range) over its turns.

    Args:
        rows: from `measure_turn`.
    """
    seconds, speeds = (_by_workers(rows, name) for name in ("seconds", "warm_cells_per_minute"))
    first = np.median(next(iter(speeds.values())))
    headers = ["workers", "turns", "cells", "seconds in all", "cells a minute once warm"]
    return markdown_table(
        [*headers, "times the first"],
        [
            [
                *(f"{count}", f"{len(speed)}", f"{rows[0]['cells']}"),
                *(median_and_range(seconds[count]), median_and_range(speed)),
                f"{np.median(speed) / first:.2f}",
            ]
            for count, speed in speeds.items()
        ],
    )


def median_speeds(rows: Sequence[Row]) -> dict[int, float]:
    """Cells a minute once warm, for each number of workers."""
    speeds = _by_workers(rows, "warm_cells_per_minute")
    return {count: float(np.median(speed)) for count, speed in speeds.items()}


def _by_workers(rows: Sequence[Row], name: str) -> dict[int, np.ndarray]:
    counts = sorted({row["workers"] for row in rows})
    return {n: np.array([row[name] for row in rows if row["workers"] == n]) for n in counts}
