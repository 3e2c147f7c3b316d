"""A sweep by two of Ray's workers, each with half of a GPU."""

import importlib.util
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from depthjax.sweeps import SweepFolder
from depthjax.tables import number

from ..task import Absent, Rows, Task, Tell

SWEEP = Path(__file__).parents[2] / "sweep.py"
HALF = ("--workers=2", "--worker_gpus=0.5")
CELLS = (
    *("--model=resnet18", "--model_field=width=8", "--model_field=stage_sizes=1,1"),
    *("--networks=untrained", "--seeds=0,1", "--layers=conv1,layer1"),
    *("--images=astronaut,chelsea", "--group_size=2", "--size=32", "--steps=20"),
)


def measure(task: Task, tell: Tell) -> None:
    """Four small cells.

    Raises:
        Absent: without Ray or without a GPU.
    """
    if importlib.util.find_spec("ray") is None:
        raise Absent("Ray is not installed: pip install 'depthjax[sweep]'")
    if task.platform != "gpu":
        raise Absent(f"there is no GPU to share: JAX has {task.device}")
    with tempfile.TemporaryDirectory() as folder:
        tell(swept(Path(folder, "sweep"), HALF))


def swept(folder: Path, workers: tuple[str, ...]) -> dict[str, Any]:
    """Runs `experiments/sweep.py`, and counts what its workers have done.

    Args:
        folder: for its results.
        workers: flags that say who works.

    Raises:
        RuntimeError: with the last line that it said, if it fails.
    """
    began = time.perf_counter()
    ran = subprocess.run(
        [sys.executable, str(SWEEP), *CELLS, *workers, f"--output={folder}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    print(ran.stdout, ran.stderr, sep="\n")
    if ran.returncode:
        lines = ran.stderr.strip().splitlines() or ["nothing said"]
        raise RuntimeError(f"the sweep ended with status {ran.returncode}: {lines[-1][:200]}")
    status = SweepFolder(folder).status(attempts=3)
    problems = re.findall(r"^\w+ failed: .*$", ran.stderr, re.MULTILINE)
    return {
        "cells": len(status.done),
        "problems": problems,
        "seconds": time.perf_counter() - began,
    }


def rows(numbers: dict[str, Any]) -> Rows:
    """How many cells, how long, and what went wrong."""
    if not numbers:
        return []
    text = f"{numbers['cells']} cells in {number(numbers['seconds'])} s"
    return [("half a GPU each", "; ".join([text, *numbers["problems"]]))]
