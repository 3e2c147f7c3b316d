"""The parent's side: child processes that are asked for numbers, one at a time."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .job import Job

EXPERIMENTS = Path(__file__).parents[1]
HUGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
"""Transparent huge pages for all of malloc's memory, where the kernel has them."""
_ENVIRONMENT = {
    # Beside each other on a GPU, none may take all of its memory.
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    # A program from a cache would have no compile time.
    "JAX_ENABLE_COMPILATION_CACHE": "false",
}


class WorkerError(ValueError):
    """A child process that could not do what it was asked, and why, in one line."""


class Worker:
    """A child process that holds one contender; use it as a context manager.

    Args:
        contender: a module of `benchmarks.contenders`, by its last name.
        job: what it gets.
        python: the interpreter; another one for peers that live in another environment.
        environment: variables put over the parent's.

    Raises:
        WorkerError: if the contender cannot be built, say because a library is missing.
    """

    def __init__(
        self,
        contender: str,
        job: Job,
        *,
        python: str = sys.executable,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.contender = contender
        path = [str(EXPERIMENTS), str(EXPERIMENTS.parent), os.environ.get("PYTHONPATH", "")]
        variables = os.environ | _ENVIRONMENT | {"PYTHONPATH": os.pathsep.join(filter(None, path))}
        module = f"benchmarks.contenders.{contender}"
        self._log = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self._began = time.perf_counter()
        try:
            self._process = subprocess.Popen(
                [python, "-m", "benchmarks.serving", module, job.to_json()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                text=True,
                env=variables | dict(environment or {}),
            )
        except OSError as error:
            self._log.close()
            raise WorkerError(f"cannot start {python!r} ({error.strerror})") from error
        try:
            self._answer()
        except BaseException:
            self.close()
            raise
        self.start_seconds = time.perf_counter() - self._began

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def ask(self, request: str, *numbers: int) -> Any:
        """The contender's answer to a request, such as the seconds that `steps 8` took.

        Raises:
            WorkerError: if it could not, or if the process has ended.
        """
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # if it has ended, reading says why
            self._process.stdin.write(" ".join(map(str, (request, *numbers))) + "\n")
            self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            status = self._process.wait()
            self._log.seek(0)
            said = self._log.read().strip().splitlines()[-1:] or ["nothing said"]
            raise WorkerError(f"ended with status {status}: {said[0]}")
        message = json.loads(line)
        if "error" in message:
            raise WorkerError(message["error"])
        return message["value"]

    def close(self) -> None:
        """Ends the process: it stops at the end of its input, or is stopped."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
