"""The tests that mean something on a device, by pytest, each told as it ends."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ..task import Absent, Rows, Task, Tell

ROOT = Path(__file__).parents[3]
_OUTCOME = re.compile(r"^(\S+?)::(.+) (PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)\b")
KINDS = ("passed", "failed", "skipped")
_KINDS = {"PASSED": "passed", "XFAIL": "passed", "SKIPPED": "skipped"}
"""Everything else failed."""
_EVERY = 2.0
"""Seconds between two reports."""
FEW = 5
"""Tests after which a small run ends."""
_AS_USERS_RUN = {
    # Tests compile quickly by default; here the compiler of the device is what is tested.
    "XLA_FLAGS": "",
    "JAX_DISABLE_MOST_OPTIMIZATIONS": "0",
}
_LIVE = {"PYTHONUNBUFFERED": "1"}
"""So that each test is heard of as it ends."""


def measure(task: Task, tell: Tell) -> None:
    """Runs the listed tests one after the other; in a small run the first few.

    Raises:
        Absent: where pytest or the tests are not installed.
        RuntimeError: if pytest ended before the last test.
    """
    files = listed(Path(task.tests_list))
    command = [sys.executable, "-m", "pytest", "-v", "--tb=short", "-p", "no:cacheprovider"]
    found: dict[str, Any] = {"passed": 0, "failed": 0, "skipped": 0, "failures": [], "last": ""}
    told, enough = time.monotonic(), False
    with subprocess.Popen(
        [*command, *map(str, files)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        env=_LIVE | ({} if task.small else _AS_USERS_RUN) | os.environ,
        cwd=ROOT,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            count(found, line)
            if time.monotonic() > told + _EVERY:
                tell(found)
                told = time.monotonic()
            if enough := task.small and sum(found[kind] for kind in KINDS) >= FEW:
                process.terminate()
                break
    tell(found)
    if process.returncode not in (0, 1) and not enough:  # 1: tests have failed
        raise RuntimeError(f"pytest ended with status {process.returncode} after {found['last']!r}")


def listed(path: Path) -> list[Path]:
    """The files of tests in a list, which names them from the checkout or in full.

    Raises:
        Absent: if there is no list, as where depthjax is installed without its tests, or no pytest.
    """
    try:
        import pytest  # noqa: F401
    except ImportError:
        raise Absent("pytest is not installed: pip install 'depthjax[test]'") from None
    if not path.is_file():
        raise Absent(f"there is no list of tests {path.name!r}; take a checkout, or --tests_list")
    return [ROOT / line.strip() for line in path.read_text(encoding="utf-8").split("\n") if line]


def count(found: dict[str, Any], line: str) -> None:
    """Adds what a line of `pytest -v` says to the counts.

    A test outside of the checkout is named by its file alone: folders of a machine are nobody's
    business in a table that is shown to others.
    """
    outcome = _OUTCOME.match(line)
    if outcome is None:
        return
    file, test, word = outcome.groups()
    name = f"{Path(file).name if file.startswith('..') else file}::{test}"
    kind = _KINDS.get(word, "failed")
    found[kind] += 1
    found["last"] = name
    if kind == "failed":
        found["failures"].append(name)


def rows(numbers: dict[str, Any]) -> Rows:
    """Counts, and the names of what failed."""
    if not numbers:
        return []
    counts = " / ".join(str(numbers[kind]) for kind in KINDS)
    failures = [("… failed", f"`{name}`") for name in numbers["failures"]]
    return [("passed / failed / skipped", counts), *failures]
