"""Images a second of the network trained on noise, as `noise_resnet50_gpu.flags` asks for it."""

import time
from typing import Any

import jax
import numpy as np

from depthjax.devices.memory import gigabytes
from depthjax.tables import median_and_range, number
from depthjax.training import fit, init_state

from ..task import Rows, Task, Tell

FLAG_FILE = "--flagfile=noise_resnet50_gpu"
BATCHES = 4
"""Of the data that is made: as many as show the speed."""
EXAMPLES, EPOCHS = 10_000, 90
"""Of the whole training."""
_SMALL = (
    *("--model=resnet18", "--model_field=width=4", "--model_field=stage_sizes=1,1"),
    *("--model_field=stem=small", "--model_field=num_classes=100", "--dataset=noise/16"),
    "--batch_size=8",
)


def measure(task: Task, tell: Tell) -> None:
    """Turns of a few steps, after one in which the step is compiled."""
    learned = task_of_flags(_SMALL if task.small else ())
    config = learned.config
    state = init_state(learned.model, learned.variables, config)
    steps = fit(learned.model, state, learned.train, config, normalization=learned.normalization)
    took: list[float] = []
    a_turn = 2 if task.small else 20
    for turn in range(3 if task.small else 6):
        began = time.perf_counter()
        for _ in range(a_turn):
            progress = next(steps)
        jax.block_until_ready(progress.state)
        if turn:
            took.append((time.perf_counter() - began) / a_turn)
        statistics = jax.devices()[0].memory_stats() or {}
        tell(
            {
                "batch": config.batch_size,
                "precision": config.precision,
                "seconds": took,
                "loss": float(progress.metrics.loss),
                "peak": statistics.get("peak_bytes_in_use"),
            }
        )


def task_of_flags(changes: tuple[str, ...]) -> Any:
    """What `experiments/train.py` would train, on a part of its data.

    Args:
        changes: flags after those of the flag file.
    """
    import train  # defines the flags of a training: not where the script has its own

    from depthjax.cli.parsing import parse

    batch = next((one for one in changes if "batch_size" in one), "--batch_size=128")
    part = f"--split=train[:{BATCHES * int(batch.partition('=')[2])}]"
    parse(["train.py", FLAG_FILE, *changes, part])
    return train.task_from_flags()[0]


def rows(numbers: dict[str, Any]) -> Rows:
    """Speed, what the whole training takes by it, and memory."""
    if not numbers.get("seconds"):
        return []
    speed = numbers["batch"] / np.asarray(numbers["seconds"])
    hours = EXAMPLES * EPOCHS / float(np.median(speed)) / 3600
    what = f"batch {numbers['batch']}, {numbers['precision']}"
    peak = numbers["peak"]
    return [
        (f"{what}: images a second", median_and_range(speed)),
        (f"… hours of {EPOCHS} epochs at that speed", number(hours)),
        ("… peak", "the device keeps no account" if peak is None else gigabytes(peak)),
    ]
