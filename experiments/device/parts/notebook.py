"""The first notebook of `colab/` in small, from start to end, as anybody would run it."""

import os
import tempfile
import time
from pathlib import Path
from typing import Any

from depthjax.tables import number

from ..task import Absent, Rows, Task, Tell

COLAB = Path(__file__).parents[3] / "colab"
PARAMETERS: dict[str, Any] = {"images": ["astronaut", "chelsea"], "steps": 50, "frames": 4}
_SMALL = {"size": 16, "layers": "conv1,layer2", "steps": 4, "watched": ["layer2"], "frames": 3}
_LONGEST = 300
"""Seconds of a cell."""


def measure(task: Task, tell: Tell) -> None:
    """Runs it with fewer steps; what it prints says on which device.

    Raises:
        Absent: where there is no Jupyter, or no notebook.
    """
    try:
        import nbformat
        from nbclient import NotebookClient
    except ImportError as error:
        raise Absent(f"{error.name} is not installed: pip install 'depthjax[test]'") from None
    paths = sorted(COLAB.glob("*.ipynb"))
    if not paths:
        raise Absent("there are no notebooks here; take a checkout")
    notebook = nbformat.read(paths[0], as_version=4)
    changes = PARAMETERS | (_SMALL if task.small else {})
    notebook.cells = changed(notebook.cells, nbformat.v4.new_code_cell, changes)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        place = {"metadata": {"path": folder}}
        environment = os.environ | {"HF_HUB_OFFLINE": "1"}  # weights that are not here stay away
        done = NotebookClient(notebook, timeout=_LONGEST, resources=place).execute(env=environment)
    shown = [output for cell in done.cells for output in cell.get("outputs", ())]
    printed = "".join(output.get("text", "") for output in shown)
    tell(
        {
            "notebook": paths[0].name,
            "device": printed.partition("\n")[0],
            "figures": sum("image/png" in output.get("data", {}) for output in shown),
            "seconds": time.perf_counter() - began,
        }
    )


def changed(cells: list[Any], new_cell: Any, parameters: dict[str, Any]) -> list[Any]:
    """The cells without the one that installs, and with parameters set again after theirs.

    Args:
        cells: of the notebook.
        new_cell: makes one of its source.
        parameters: by name.
    """
    found = []
    for cell in cells:
        tags = cell.metadata.get("tags", ())
        if "install" not in tags:
            found.append(cell)
        if "parameters" in tags:
            lines = (f"{name} = {value!r}" for name, value in parameters.items())
            found.append(new_cell("\n".join(lines)))
    return found


def rows(numbers: dict[str, Any]) -> Rows:
    """What it ran on, and what it showed."""
    if not numbers:
        return []
    text = f"{numbers['figures']} figures in {number(numbers['seconds'])} s"
    return [(f"{numbers['notebook']}, {numbers['device']}", text)]
