"""Peak bytes of a descent by the device's own account, beside what is predicted."""

import tempfile
from pathlib import Path
from typing import Any

import jax
from benchmarks.contenders.loop import Loop
from benchmarks.inputs import Inputs

import depthjax
from depthjax.inversion.memory import fitting_batch
from depthjax.tables import number

from ..task import Rows, Task, Tell


def measure(task: Task, tell: Tell) -> None:
    """Growing batches in one process, whose peak is that of the largest so far."""
    network = task.network
    model = depthjax.build_model(network.model, **network.fields)
    points: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as arrays:
        inputs = Inputs(Path(arrays), network.model, network.fields, model, seed=0)
        for batch in (1, 2) if task.small else (1, 8, 64):
            loop = Loop(inputs.job(network.layer, batch, network.size))
            loop.steps(2)
            statistics = jax.devices()[0].memory_stats() or {}
            point = {
                "batch": batch,
                "predicted": predicted(loop, batch),
                "peak": statistics.get("peak_bytes_in_use"),
            }
            points.append(point)
            tell({"layer": network.layer, "size": network.size, "points": points})
            del loop


def predicted(loop: Loop, batch: int) -> int:
    """Bytes of the whole batch at once, as the compiler tells `depthjax.inversion.memory`."""
    shape = tuple(loop.images.shape[1:])
    arguments = loop.layer, loop.variables, shape, batch, loop.config
    bound = fitting_batch(*arguments, free=2**62).needed
    # With less than twice the bound free, the loop is compiled and asked.
    return fitting_batch(*arguments, free=2 * bound - 1).needed


def rows(numbers: dict[str, Any]) -> Rows:
    """Of every batch, and of each further image."""
    found = []
    points = numbers.get("points", [])
    for point in points:
        where = f"{numbers['layer']}, {numbers['size']}², batch {point['batch']}"
        found.append((f"{where}: predicted", _bytes(point["predicted"])))
        found.append(("… peak", _bytes(point["peak"])))
    if len(points) > 1:
        for name in ("predicted", "peak"):
            found.append((f"a further image, {name}", _bytes(of_an_image(points, name))))
    return found


def of_an_image(points: list[dict[str, Any]], name: str) -> int | None:
    """Bytes that each image adds between the smallest batch and the largest."""
    first, last = points[0], points[-1]
    if first[name] is None or last[name] is None:
        return None
    return round((last[name] - first[name]) / (last["batch"] - first["batch"]))


def _bytes(size: int | None) -> str:
    return "the device keeps no account" if size is None else f"{number(size / 2**20)} MiB"
