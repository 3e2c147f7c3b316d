"""A sweep as text: where it stands, what it found, what it will take."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from depthjax.sweeps.folder import Status
from depthjax.sweeps.planning import Plan
from depthjax.tables import share


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
    """Medians over images, seeds and restarts for each network and layer, as Markdown.

    Args:
        table: from `load_sweep`, of a sweep of inversions.
    """
    signs = {"input_ratio": "D", "luminance_r2": "r²", "embedding_ratio": "ρ"}
    columns = [name for name in signs if name in table.column_names]  # older sweeps have no r²
    groups: dict[tuple, list[list[float]]] = {}
    for model, rows in by_architecture(table.to_pylist()).items():
        for row in rows:
            key = model, row["network"], row["depth"], row["layer"]
            groups.setdefault(key, []).append([row[name] for name in columns])
    heads = ["model", "network", "layer", "n", *(signs[name] for name in columns)]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for (model, network, _, layer), values in sorted(groups.items()):
        medians = np.nanmedian(np.array(values, float), axis=0)
        texts = [
            share(m) if n == "luminance_r2" else f"{m:.3g}"
            for n, m in zip(columns, medians, strict=True)
        ]
        lines.append(f"| {' | '.join([model, network, layer, str(len(values)), *texts])} |")
    return "\n".join(lines)


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
    lines = [
        "| model | network | layer | cells | inversions each | TFLOP each | MiB | compile | each |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {p.model} | {p.network} | {p.layer} | {p.cells} | {p.examples} | {p.flops / 1e12:.3g}"
        f" | {p.memory / 2**20:.0f} | {p.compile_seconds:.0f} s | {duration(p.seconds)} |"
        for p in plan.programs
    ]
    inversions = sum(p.cells * p.examples for p in plan.programs)
    lines += [
        "",
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
