"""A program: commands as JSON lists of words in; out, what scripts refuse and why, and all flags.

It also says what `depthjax.cli.describing` does: both need all scripts, and a process to itself.
Scripts have flags of the same names, so each is loaded when the one before has been forgotten.
"""

import importlib.util
import json
import sys
from pathlib import Path

from absl import flags
from absl.testing import flagsaver

from depthjax.cli.describing import describe

ROOT = Path(__file__).parents[2]


def load(script: str) -> None:
    spec = importlib.util.spec_from_file_location(Path(script).stem, ROOT / script)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


def forget(kept: set[str]) -> None:
    for name in set(flags.FLAGS) - kept:
        delattr(flags.FLAGS, name)


def refusal(command: list[str]) -> str:
    """Why a command cannot be; empty if it can."""
    saved = flagsaver.save_flag_values()
    try:
        words = flags.FLAGS([word for word in command if word != "--help"])[1:]
    except flags.Error as error:
        return str(error)
    finally:
        flagsaver.restore_flag_values(saved)
    return f"these are no flags: {' '.join(words)}" if words else ""


def main() -> None:
    commands = json.load(sys.stdin)
    described = describe()  # which puts their folder into sys.path
    kept, refused, known = set(flags.FLAGS), {}, set()
    for script in sorted({command[0] for command in commands}):
        load(script)
        for command in commands:
            if command[0] == script and (why := refusal(command)):
                refused[" ".join(command)] = why
        known |= set(flags.FLAGS)
        forget(kept)
    json.dump({"refused": refused, "flags": sorted(known), "described": described}, sys.stdout)


if __name__ == "__main__":
    main()
