"""Images · steps a second against the batch, for every precision, and their share of the peak."""

import math
import tempfile
from pathlib import Path
from typing import Any

import jax
import numpy as np
from benchmarks.contenders.bare import Bare
from benchmarks.contenders.loop import Loop
from benchmarks.inputs import Inputs
from benchmarks.job import Job
from benchmarks.machine import data_sheet_peak

import depthjax
from depthjax.devices.precision import PRECISIONS
from depthjax.tables import number

from ..task import Rows, Task, Tell

GROWTH = 1.05
"""A larger batch is tried as long as the speed grows by so much."""
FACTOR = 4
"""From one batch to the next: each compiles anew, which takes longer than its turns."""
TURNS, SECONDS = 3, 0.4
"""Of a batch, and of a turn."""
MOST_STEPS = 500


def measure(task: Task, tell: Tell) -> None:
    """Batches 1, 4, 16, … of all precisions side by side; each is told once it is measured."""
    network = task.network
    model = depthjax.build_model(network.model, **network.fields)
    with tempfile.TemporaryDirectory() as arrays:
        inputs = Inputs(Path(arrays), network.model, network.fields, model, seed=0)
        bare = Bare(inputs.job(network.layer, 1, network.size))
        numbers = {
            "layer": network.layer, "size": network.size, "flops_of_an_image": bare.flops(),
            "peaks": peaks(task, bare),
            "curves": {precision: {"points": [], "ended": ""} for precision in PRECISIONS},
        }  # fmt: skip
        tell(numbers)
        batch, growing = 1, list(PRECISIONS)
        while growing and batch <= (4 if task.small else 4096):
            for precision in list(growing):
                preset = f"paper:precision={precision}"
                job = inputs.job(network.layer, batch, network.size, preset=preset)
                if not extend(numbers["curves"][precision], job):
                    growing.remove(precision)
                tell(numbers)
            batch *= FACTOR


def peaks(task: Task, bare: Bare) -> dict[str, float | None]:
    """Operations a second by precision: of the data sheet; of a CPU, what a product reaches."""
    if task.platform == "cpu":
        return {"float32": bare.product_flops()}
    return {precision: data_sheet_peak(task.device, precision) for precision in PRECISIONS}


def extend(curve: dict[str, Any], job: Job) -> bool:
    """Measures a batch; returns whether a larger one is worth trying, `ended` says why not."""
    try:
        seconds = seconds_a_step(job)
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        curve["ended"] = f"batch {job.batch} does not fit into memory"
        return False
    earlier = [best_speed(point) for point in curve["points"]]
    curve["points"].append({"batch": job.batch, "seconds": seconds})
    if earlier and best_speed(curve["points"][-1]) < GROWTH * max(earlier):
        curve["ended"] = f"batch {job.batch} is hardly faster"
        return False
    return True


def seconds_a_step(job: Job) -> list[float]:
    """Of each turn, after one in which the program is compiled."""
    loop = Loop(job)
    loop.steps(1)
    steps = min(max(2, math.ceil(2 * SECONDS / max(loop.steps(2), 1e-9))), MOST_STEPS)
    return [loop.steps(steps) / steps for _ in range(TURNS)]


def best_speed(point: dict[str, Any]) -> float:
    """Images · steps a second in the fastest turn."""
    return point["batch"] / min(point["seconds"])


def rows(numbers: dict[str, Any]) -> Rows:
    """For each precision the fastest batch, and what share of the peak it is."""
    found = []
    for precision, curve in numbers.get("curves", {}).items():
        if not curve["points"]:
            continue
        best = max(curve["points"], key=best_speed)
        speed = best["batch"] / float(np.median(best["seconds"]))
        text = f"{number(speed)} at batch {best['batch']}"
        if peak := numbers["peaks"].get(precision):
            text += f", {speed * numbers['flops_of_an_image'] / peak:.0%} of the peak"
        if curve["ended"]:
            text += f"; {curve['ended']}"
        where = f"{numbers['layer']}, {numbers['size']}²"
        found.append((f"{where}, {precision}: images · steps a second", text))
    return found
