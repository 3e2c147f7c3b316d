"""A sweep as text: where it stands, what it found, what it will take."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from depthjax.sweeps.folder import Status
from depthjax.sweeps.planning import Plan
from depthjax.tables import markdown_table, median_and_range, number, share


def status_text(status: Status) -> str:
    """How many cells are done, running, failed and waiting; what failed, each in a line."""
    counts = f"{len(status.done)} done, {len(status.running)} running, {len(status.failed)} failed"
    text = f"{counts}, {len(status.waiting)} waiting"
    if (status.waiting or status.running) and status.seconds_left is not None:
        text += f"; about {duration(status.seconds_left)} left"
    for name, problem in status.damaged.items():
        text += f"\n{name}.parquet is damaged and will be done again: {problem}"
    for name, failure in status.failed.items():
        text += f"\n{name} failed: {failure['kind']}: {failure['message']} (failed/{name}.json)"
    return text


def sweep_table(table: Any) -> str:
    """Medians and ranges over images, seeds and restarts of each network and layer, as Markdown.

    Where some of the `n` descents have no such number, as those that failed, a cell says how many.

    Args:
        table: from `load_sweep`, of a sweep of inversions.
    """
    quantities = {
        "input_ratio": ("D", number),
        "luminance_r2": ("r²", share),  # older sweeps have none
        "embedding_ratio": ("ρ", number),
    }
    columns = {name: how for name, how in quantities.items() if name in table.column_names}
    groups: dict[tuple, list[Mapping[str, Any]]] = {}
    for model, rows in by_architecture(table.to_pylist()).items():
        for row in rows:
            groups.setdefault((model, row["network"], row["depth"], row["layer"]), []).append(row)
    lines = []
    for (model, network, _, layer), rows in sorted(groups.items(), key=lambda group: group[0]):
        texts = [
            median_and_range(np.array([row[name] for row in rows], float), text_of)
            for name, (_, text_of) in columns.items()
        ]
        lines.append([model, network, layer, str(len(rows)), *texts])
    signs = [sign for sign, _ in columns.values()]
    return markdown_table(["model", "network", "layer", "n", *signs], lines)


def by_architecture(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """The rows of each architecture and image size, by a name that tells it from the others.

    That is its model, and of models that there are several of also their fields and size:
    `resnet18 width=4, 32²`.
    """
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        fields, size = (row.get(name) for name in ("model_fields", "size"))  # not in older sweeps
        rest = f"{f' {fields}' if fields else ''}{f', {size}²' if size else ''}"
        groups.setdefault((row["model"], rest), []).append(row)
    count = Counter(model for model, _ in groups)
    return {
        model if count[model] == 1 else model + rest: own for (model, rest), own in groups.items()
    }


def plan_text(plan: Plan, devices: Sequence[int], within_hours: float) -> str:
    """What a sweep will take, as Markdown: each program, the sums, and projections.

    Args:
        plan: from `depthjax.sweeps.planning.plan`.
        devices: numbers of devices that the time is projected to.
        within_hours: the time for which the necessary number of devices is projected.
    """
    heads = "model", "network", "layer", "cells", "inversions each", "TFLOP each", "MiB"
    rows = [
        [
            *(p.model, p.network, p.layer, str(p.cells), str(p.examples), f"{p.flops / 1e12:.3g}"),
            *(f"{p.memory / 2**20:.0f}", f"{p.compile_seconds:.0f} s", duration(p.seconds)),
        ]
        for p in plan.programs
    ]
    inversions = sum(p.cells * p.examples for p in plan.programs)
    lines = [
        f"{markdown_table([*heads, 'compile', 'each'], rows)}\n",
        f"In all: {plan.cells} cells, {inversions} inversions, {plan.flops / 1e15:.3g} PFLOP"
        f" (compiler's count), {plan.memory / 2**20:.0f} MiB at once on a device.",
        f"Measured on {plan.device}: {duration(plan.device_seconds)} on one such device.",
    ]
    for count in devices:
        projected = duration(plan.seconds_on(count))
        lines.append(f"Projected, not measured: {projected} on {count} such devices.")
    needed = plan.devices_for(within_hours * 3600)
    answer = "no number of" if needed is None else f"{needed}"
    lines.append(f"Projected: {answer} such devices end it within {within_hours:g} h.")
    return "\n".join(lines)


def duration(seconds: float) -> str:
    """A time in a suitable unit: `40 s`, `12 min`, `3.4 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
