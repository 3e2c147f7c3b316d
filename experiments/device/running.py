"""The script's side: starts a part, ends it in time, and reads what it has said."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from .catalogue import PARTS
from .task import Task

EXPERIMENTS = Path(__file__).parents[1]
PATIENCE = 5.0
"""Seconds that a part has to end by itself after its time, say to end Ray."""
_BESIDE_OTHERS = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
"""Of a part that computes itself: what it starts needs memory of the device, too."""


class Unfinished(Exception):
    """A part that is not done; `outcome` is what `run_part` returned."""

    def __init__(self, outcome: dict[str, Any]) -> None:
        super().__init__(outcome["reason"])
        self.outcome = outcome


def run_part(name: str, task: Task, limit: float, folder: Path) -> dict[str, Any]:
    """Runs a part in a process of its own.

    Args:
        name: a module of `device.parts`.
        task: what it is told.
        limit: seconds after which it is cut off.
        folder: for `said/NAME.json`, its numbers so far, and `logs/NAME.log`, all that it printed.

    Returns:
        `state` (done, absent, failed, or cut for one that ran out of time), `reason` (empty if
        done), `seconds`, `limit` and `numbers`.
    """
    said, log = folder / "said" / f"{name}.json", folder / "logs" / f"{name}.log"
    said.unlink(missing_ok=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    status: int | None = None
    with open(log, "wb") as printed:
        process = subprocess.Popen(
            [sys.executable, "-m", "device.child", name, task.to_json(), str(said)],
            stdin=subprocess.PIPE,
            stdout=printed,
            stderr=subprocess.STDOUT,
            env=_environment(name),
            start_new_session=True,
        )
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            pass
        finally:
            _end(process)
    found = said_by(name, folder)
    if status is None:
        found |= {"state": "cut", "reason": f"its {limit:.0f} s were over"}
    elif found["state"] == "running":
        found |= {"state": "failed", "reason": f"ended with status {status}: {_last_line(log)}"}
    return found | {"seconds": time.perf_counter() - began, "limit": limit}


def said_by(name: str, folder: Path) -> dict[str, Any]:
    """What a part has written so far: `state`, `reason` and `numbers`."""
    try:
        return json.loads((folder / "said" / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {"state": "running", "reason": "", "numbers": {}}


def finished(outcome: dict[str, Any]) -> dict[str, Any]:
    """The outcome of a part that is done.

    Raises:
        Unfinished: for any other.
    """
    if outcome["state"] != "done":
        raise Unfinished(outcome)
    return outcome


def _environment(name: str) -> dict[str, str]:
    path = [str(EXPERIMENTS), str(EXPERIMENTS.parent), os.environ.get("PYTHONPATH", "")]
    variables = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, path))}
    if name in PARTS and not PARTS[name].on_device:
        return variables  # what it starts runs as users start it
    return _BESIDE_OTHERS | variables


def _end(process: subprocess.Popen) -> None:
    """Ends a part with all that it has started; what is left after a while is killed."""
    assert process.stdin is not None
    for number in (signal.SIGTERM, signal.SIGKILL):
        end = time.monotonic() + PATIENCE
        # None is left: ProcessLookupError; on macOS it is PermissionError.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
            while time.monotonic() < end:
                process.poll()
                os.killpg(process.pid, 0)
                time.sleep(0.02)
    with suppress(OSError):
        process.stdin.close()


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else "nothing said"
