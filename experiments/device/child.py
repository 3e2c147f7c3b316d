"""The part's side: measure, and write what there is into a file after every number.

    python -m device.child PART '{"small": true, …}' FILE

The file holds the `state` (running, done, absent, failed), the `reason` of the last two, and the
`numbers` so far. The process and all that it has started end with their parent, which holds the
other end of the standard input.
"""

import importlib
import math
import os
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

from benchmarks.serving import described

from depthjax.cli import enable_compilation_cache
from depthjax.files import json_bytes, write_atomically

from .catalogue import PARTS
from .task import Absent, Task


def main() -> None:
    """Runs the part named on the command line."""
    name, text, file = sys.argv[1:]
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if name not in PARTS or PARTS[name].on_device:
        enable_compilation_cache()
    measure(name, Task.from_json(text), Path(file))


def measure(name: str, task: Task, file: Path) -> None:
    """Runs a part in this process; what it raises becomes its state.

    Args:
        name: a module of `device.parts`.
        task: what it is told.
        file: for the numbers.
    """
    found: dict[str, Any] = {"state": "running", "reason": "", "numbers": {}}

    def write(**changes: Any) -> None:
        found.update(changes)
        write_atomically(file, json_bytes(finite(found)))

    try:
        part = importlib.import_module(f"device.parts.{name}")
        part.measure(task, lambda numbers: write(numbers=numbers))
    except Absent as reason:
        write(state="absent", reason=str(reason))
    except Exception as error:  # whatever a device's libraries raise
        traceback.print_exc()
        write(state="failed", reason=described(error))
    else:
        write(state="done")


def finite(value: Any) -> Any:
    """Data of JSON with None for numbers that are not finite, which JSON does not have."""
    if isinstance(value, dict):
        return {name: finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _end_with_parent() -> None:
    # Not sys.stdin: a thread that waits for it would not let the process end.
    while os.read(0, 1):
        pass
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    main()
