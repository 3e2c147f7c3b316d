"""The child's side of the protocol: build one contender, then answer requests until input ends.

    python -m benchmarks.serving benchmarks.contenders.loop '{"model": "resnet50", …}'

A request is a line, a method of the contender and whole numbers: `steps 8`. An answer is a line of
JSON, `{"value": …}` or `{"error": "in one line"}`; the first answer comes unasked, once the
contender is built.
"""

import importlib
import json
import os
import sys
from collections.abc import Callable
from typing import Any

from benchmarks.job import Job


def main() -> None:
    """Serves the contender named on the command line."""
    module, text = sys.argv[1:]
    # What libraries print must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def answer(compute: Callable[[], Any]) -> bool:
        try:
            message = {"value": compute()}
        except Exception as error:  # whatever a contender's libraries raise
            message = {"error": described(error)}
        answers.write(json.dumps(message) + "\n")
        return "value" in message

    built: list[Any] = []

    def build() -> None:
        built.append(importlib.import_module(module).build(Job.from_json(text)))

    if not answer(build):
        return
    for line in sys.stdin:
        name, *numbers = line.split()
        answer(lambda name=name, numbers=numbers: getattr(built[0], name)(*map(int, numbers)))


def described(error: Exception) -> str:
    """An exception in one line of bearable length."""
    if isinstance(error, ModuleNotFoundError):
        return f"{error.name} is not installed"
    line = " ".join(f"{type(error).__name__}: {error}".split())
    return line if len(line) < 300 else f"{line[:300]}…"


if __name__ == "__main__":
    main()
