"""The measurements as one Markdown table, and where they were made below it."""

from collections.abc import Callable
from typing import Any

from depthjax.folders.environment import command_line
from depthjax.tables import markdown_table

from .catalogue import PARTS
from .parts import (
    determinism,
    memory,
    notebook,
    precision,
    step,
    tests,
    throughput,
    training,
    worker,
)
from .task import Rows

ROWS: dict[str, Callable[[dict[str, Any]], Rows]] = {
    "step": step.rows,
    "tests": tests.rows,
    "throughput": throughput.rows,
    "precision": precision.rows,
    "memory": memory.rows,
    "determinism": determinism.rows,
    "training": training.rows,
    "notebook": notebook.rows,
    "worker": worker.rows,
}
_OF_ONE_MACHINE = "peers_python", "output", "tests_list"


def summarise(results: dict[str, Any]) -> str:
    """Every part with what became of it and its numbers.

    Args:
        results: the contents of `device_check.json`.
    """
    lines = []
    for name in results["settings"]["parts"]:
        outcome = results["parts"].get(name)
        lines.append([name, PARTS[name].title, became(outcome)])
        if outcome is not None:
            lines += [["", *row] for row in ROWS[name](outcome["numbers"])]
    cells = [[cell.replace("|", "/") for cell in line] for line in lines]
    return f"{markdown_table(['part', 'measured', 'value'], cells)}\n\n{where(results)}"


def became(outcome: dict[str, Any] | None) -> str:
    """The state of a part, with the reason if it is not done.

    Args:
        outcome: as `run_part` returns it; None for a part that did not begin.
    """
    if outcome is None:
        return "not begun"
    if outcome["state"] == "done":
        return f"done in {outcome['seconds']:.0f} s"
    return f"{outcome['state']}: {outcome['reason']}"


def where(results: dict[str, Any]) -> str:
    """The command and the machine, in one paragraph."""
    machine = results["machine"]
    versions = ", ".join(f"{name} {machine['versions'][name]}" for name in ("jax", "flax"))
    text = (
        f"Made by `{command_line(machine['command'], without=_OF_ONE_MACHINE)}` on a"
        f" {machine['device']} ({machine['processor']},"
        f" {machine['cores']} cores, {machine['memory_gb']:.0f} GB; {versions}; revision"
        f" {machine['git_revision']})."
    )
    variables = {n: v for n, v in machine["variables"].items() if not n.startswith(_OF_CACHE)}
    if variables:
        text += f" With {', '.join(f'`{name}={value}`' for name, value in variables.items())}."
    return text


_OF_CACHE = ("JAX_COMPILATION_CACHE", "JAX_PERSISTENT_CACHE")
"""Where programs are kept says nothing about the numbers here."""
