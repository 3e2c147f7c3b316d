"""One step of a reproduction: a script with its settings, run in a process of its own."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from depthjax.files import cannot_write

DONE, FAILED, SKIPPED, MISSING = "done", "failed", "skipped", "not run"


@dataclass(frozen=True)
class Step:
    """One script with its settings.

    Fields:
        name: the name of its folder and of its log.
        script: a file of `experiments/`.
        flags: name of its flag file, without ending.
        minutes: how long it may take, on the hardware of its scale.
        claims: the claims that its findings are about.
        figure: the figure that shows them, within the step's folder.
        after: steps whose files it needs.
        more: flags in addition to those of the file; `{output}` is the folder of the reproduction.
        sample: how many weight seeds and images its claims rest on, for their power.
    """

    name: str
    script: str
    flags: str
    minutes: float | int
    claims: tuple[str, ...] = ()
    figure: str = ""
    after: tuple[str, ...] = ()
    more: tuple[str, ...] = ()
    sample: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Outcome:
    """What became of a step.

    Fields:
        step: the step.
        state: `done`, `failed`, `skipped` (a step that it needs has failed) or `not run`.
        seconds: what the script took, the last time it was started; NaN if it was not.
        message: the last line that a failed script has printed, or why it was skipped.
    """

    step: Step
    state: str
    seconds: float = float("nan")
    message: str = ""


def run_script(command: Sequence[str], log: Path, on_wait: Callable[[float], None]) -> str:
    """Runs a script to its end; it is killed if this process is.

    Args:
        command: the interpreter, the script, its flags.
        log: what the script prints is added to this file.
        on_wait: called every half second or so with the seconds so far.

    Returns:
        An empty string if it has succeeded, or else the last line that it has printed.

    Raises:
        CannotWrite: if nothing can be added to the log.
    """
    began = time.monotonic()
    with _opened(log, f"\n$ {' '.join(command)}\n") as file:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            preexec_fn=partial(_end_with, os.getpid()) if sys.platform == "linux" else None,
        )
        try:
            while process.poll() is None:
                try:
                    process.wait(timeout=0.5)
                except subprocess.TimeoutExpired:
                    on_wait(time.monotonic() - began)
        except BaseException:  # Control-C has reached the script, too
            process.terminate()
            process.wait()
            raise
    if process.returncode == 0:
        return ""
    return _last_line(log) or f"exit status {process.returncode}"


def _opened(log: Path, text: str) -> BinaryIO:
    """A file that can be added to, after a first text."""
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        file = open(log, "ab", buffering=0)  # noqa: SIM115
        file.write(text.encode())
    except OSError as error:
        raise cannot_write(log, error) from error
    return file


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text("utf-8", errors="replace").splitlines()]
    last = next((line for line in reversed(lines) if line), "")
    return "" if last.startswith("$ ") else last


def _end_with(parent: int) -> None:
    """Before a script begins: it is to be killed when the process that starts it is.

    Args:
        parent: the number of that process; in a container it may be 1.
    """
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:  # it has died meanwhile
        os._exit(1)
