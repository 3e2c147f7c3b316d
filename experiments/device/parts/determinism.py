"""The same descent again, in the same process and in another that compiles anew: the same bits?"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from depthjax.files import read_arrays
from depthjax.tables import number

from ..task import Rows, Task, Tell

FLAGS = (
    "--xla_gpu_deterministic_ops=true",
    # What does the same where the first is not known any more.
    "--xla_gpu_exclude_nondeterministic_ops=true",
)


class UnknownFlag(ValueError):
    """XLA does not know a flag of `XLA_FLAGS`, and has ended the process."""


def measure(task: Task, tell: Tell) -> None:
    """Two processes as users start them; on a GPU two more, with the flag that decides it there."""
    numbers: dict[str, Any] = {"as it is": compared(task, "")}
    tell(numbers)
    for flag in FLAGS if task.platform == "gpu" else ():
        try:
            numbers[flag] = compared(task, flag)
        except UnknownFlag as error:
            numbers[flag] = {"absent": str(error)}
            continue
        finally:
            tell(numbers)
        return


def compared(task: Task, flag: str) -> dict[str, Any]:
    """How far the images of two descents are apart, within a process and between two.

    Args:
        task: what is descended.
        flag: added to `XLA_FLAGS`.
    """
    with tempfile.TemporaryDirectory() as folder:
        one, other = (descended(task, flag, Path(folder, name)) for name in ("1.npz", "2.npz"))
    return {
        "again": difference(one["first"], one["second"]),
        "compiled anew": difference(one["first"], other["first"]),
    }


def descended(task: Task, flag: str, file: Path) -> dict[str, Any]:
    """The images of two descents of a process of its own, whose programs come from no cache.

    Raises:
        UnknownFlag: as its name says.
        RuntimeError: if the process fails otherwise.
    """
    flags = " ".join(filter(None, (os.environ.get("XLA_FLAGS", ""), flag)))
    ran = subprocess.run(
        [sys.executable, "-m", "device.bits", task.to_json(), str(file)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=os.environ | {"XLA_FLAGS": flags, "JAX_ENABLE_COMPILATION_CACHE": "false"},
        check=False,
    )
    if ran.returncode:
        if flag and "Unknown flag" in ran.stderr:
            raise UnknownFlag("XLA does not know it")
        print(ran.stderr, file=sys.stderr)
        last = (ran.stderr.strip().splitlines() or ["nothing said"])[-1]
        raise RuntimeError(f"a descent ended with status {ran.returncode}: {last[:200]}")
    return read_arrays(file)


def difference(one: np.ndarray, other: np.ndarray) -> dict[str, Any]:
    """Whether all bits are the same, and the largest difference of a pixel."""
    same = one.tobytes() == other.tobytes()
    return {"same_bits": same, "largest": float(np.abs(one - other).max())}


def rows(numbers: dict[str, Any]) -> Rows:
    """A row for each comparison."""
    found = []
    for name, here in numbers.items():
        label = f"`{name}`" if name.startswith("--") else name
        if "absent" in here:
            found.append((label, here["absent"]))
            continue
        for how, apart in here.items():
            same = "the same bits" if apart["same_bits"] else "other bits"
            largest = "not finite" if apart["largest"] is None else number(apart["largest"])
            text = same if apart["same_bits"] else f"{same}, pixels differ by up to {largest}"
            found.append((f"{label}: {how}", text))
    return found
