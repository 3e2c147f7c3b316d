"""Several networks side by side: one table of their steps against PyTorch's."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from depthjax.tables import markdown_table, median_and_range

from .contenders import CONTENDERS
from .quantities import ratios
from .summary import machine

_OURS = "loop"
_PEERS = ("tuned", "compiled")


def networks_together(benchmarks: Sequence[dict[str, Any]]) -> str:
    """Parts b and k of several benchmarks, a row for each race, and every command.

    Args:
        benchmarks: the contents of `benchmark.json` of each.
    """
    headers = ["network", "layer", "size", "batch", "ms a step"]
    headers += [f"over {CONTENDERS[name].title}" for name in _PEERS]
    rows = []
    for results in benchmarks:
        for race in [*results.get("races", []), *results.get("imported", [])]:
            name = results["settings"]["model"]
            if "imported" in race["entries"]:
                name = f"{name}; imported: {_times(ratios(race, 'imported', _OURS))} as long"
            milliseconds = 1e3 * np.asarray(race["entries"][_OURS]["seconds"])
            row = [name, race["layer"], str(race["size"]), str(race["batch"])]
            row += [median_and_range(milliseconds)]
            rows.append(row + [_times(ratios(race, peer, _OURS)) for peer in _PEERS])
    return "\n\n".join([markdown_table(headers, rows), *map(machine, benchmarks)])


def _times(values: np.ndarray) -> str:
    if not values.size:
        return "–"
    return f"{np.median(values):.2f}× ({values.min():.2f}–{values.max():.2f})"
