"""Throughput of a sweep against the number of workers."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from depthjax.figures.style import BLUE, GREY, styled


def throughput_against_workers(
    workers: Sequence[int], cells_per_minute: Sequence[float], *, projected: int = 8
) -> Figure:
    """Cells per minute against the number of workers, as measured.

    A dashed line shows the throughput in proportion to the first measurement; it is marked as a
    projection.

    Args:
        workers: numbers of workers, ascending.
        cells_per_minute: measured throughput for each, once all workers were warm.
        projected: number of workers at the end of the dashed line.

    Raises:
        ValueError: unless both have the same length, one at least.
    """
    if not workers or len(workers) != len(cells_per_minute):
        raise ValueError(
            f"{len(workers)} numbers of workers and {len(cells_per_minute)} of cells; give a pair"
            " for each measurement"
        )
    with styled():
        figure = Figure(figsize=(3.4, 2.5), layout="constrained")
        axes = figure.subplots()
        each = cells_per_minute[0] / workers[0]
        line = np.array([0, max(projected, *workers)])
        axes.plot(line, each * line, "--", color=GREY, linewidth=0.8)
        axes.plot(workers, cells_per_minute, "o-", color=BLUE, markersize=4, linewidth=1.2)
        for count, value in zip(workers, cells_per_minute, strict=True):
            axes.annotate(
                f"{value:.3g}", (count, value), (4, -9), textcoords="offset points", color=BLUE
            )
        axes.annotate(
            "projection, not measured:\nin proportion to the first",
            (line[1] * 0.55, each * line[1] * 0.55),
            (-6, 6),
            textcoords="offset points",
            ha="right",
            color=GREY,
        )
        axes.set_xlim(0, line[1])
        axes.set_ylim(0, max(each * line[1], *cells_per_minute) * 1.05)
        axes.set_xlabel("workers")
        axes.set_ylabel("cells a minute")
    return figure
