r"""What only a GPU or a TPU can show, in ten minutes: speed, precision, memory, the same bits.

    python experiments/device_check.py                              # everything, on what JAX finds
    python experiments/device_check.py --peers_python=../torch/.venv/bin/python
    python experiments/device_check.py --parts=throughput --seconds=300 --output=runs/throughput
    JAX_PLATFORMS=cpu python experiments/device_check.py --small    # whether it runs at all

Parts, in the order of their value: step, a step over the bare gradient and over PyTorch's; tests,
those that mean something on a device; throughput, images · steps a second against the batch, and
the share of the peak, by precision; precision, ρ that the same descent reaches; memory, peak bytes
beside what is predicted; determinism, the same descent again; training, of the network that learns
noise; notebook, the first one; worker, two of a sweep on one GPU. Each is a process with a share of
--seconds: what crashes or takes too long keeps what it has measured, and the others run. What is
not there is reported as absent. --resume runs the parts that were not done.
"""

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import jax
from absl import flags
from benchmarks import machine
from device import catalogue, figure, running, table
from device.task import Task

from depthjax import cli, figures
from depthjax.files import json_bytes
from depthjax.folders.begin import RunFolder, begin
from depthjax.folders.environment import environment

FLAGS = flags.FLAGS
cli.define_output_flags("runs/device_check", "numbers, table and figure")
cli.define_script_flags()
flags.DEFINE_list("parts", list(catalogue.PARTS), "what to check, see above")
flags.DEFINE_float("seconds", 570, "seconds for all parts together", lower_bound=1)
flags.DEFINE_boolean("small", False, "everything tiny: whether it runs, on a CPU")
flags.DEFINE_string("peers_python", "", "part step: interpreter that has PyTorch, torchvision")
flags.DEFINE_string(
    "tests_list",
    "",
    "part tests: a file with the paths of tests, one in a line (default: tests/device/files.txt)",
)
TESTS = Path(__file__).parents[1] / "tests" / "device" / "files.txt"
LOOKING = 120.0
"""Seconds in which a machine must say what it is; TPUs take long to start."""


def main() -> None:
    """Flags -> parts, one after the other -> device_check.json, device_check.md, figures/."""
    began = time.monotonic()
    # A TPU has room for one process: that of the part that runs.
    jax.config.update("jax_platforms", "cpu")
    asked = catalogue.checked_parts(FLAGS.parts)
    given = {name: FLAGS[name].value for name in ("small", "peers_python", "tests_list")}
    given["tests_list"] = given["tests_list"] or str(TESTS)
    here = look()
    task = Task(here["device"], **given)
    same = {name: here[name] for name in machine.IDENTITY}
    with begin(
        FLAGS.output,
        {"parts": list(asked), **given, "machine": same},
        overwrite=FLAGS.overwrite,
        resume=FLAGS.resume,
        noted={name: here[name] for name in ("device", "devices")},
    ) as folder:
        results = {
            "machine": folder.piece("machine", lambda: here),
            "settings": {"parts": list(asked), **given, "seconds": FLAGS.seconds},
            "parts": {},
        }
        check(folder, task, results, began + FLAGS.seconds)
        draw(folder, results)
    print(f"\n{table.summarise(results)}\n\nNumbers, table and figure: {folder.path}")


def look() -> dict[str, Any]:
    """What `benchmarks.machine` says of the machine, in a process of its own.

    Raises:
        ValueError: if JAX has no device, or does not use the one that is there.
    """
    with tempfile.TemporaryDirectory() as folder:
        found = running.run_part("machine", Task(), LOOKING, Path(folder))
    if found["state"] != "done":
        raise ValueError(f"this machine cannot be checked: {found['reason']}")
    # What its process was told besides, and how it was called, is nobody's concern.
    mine = environment()
    return found["numbers"] | {name: mine[name] for name in ("command", "variables")}


def check(folder: RunFolder, task: Task, results: dict[str, Any], end: float) -> None:
    """Runs the parts; after each, and if the script is interrupted, numbers and table are written.

    Args:
        folder: of the check; parts that an earlier run has done are in it.
        task: what each part is told.
        results: of the whole check; `parts` is filled.
        end: when all must be over, by `time.monotonic`.
    """
    waiting = list(results["settings"]["parts"])
    while waiting:
        name = waiting[0]
        limit = catalogue.limit_of(name, waiting, end - time.monotonic())
        print(f"{name}: {catalogue.PARTS[name].title}, at most {limit:.0f} s", flush=True)
        try:
            results["parts"][name] = part(folder, name, task, limit)
        except KeyboardInterrupt:
            said = running.said_by(name, folder.path)
            interrupted = {"state": "cut", "reason": "it was interrupted"}
            results["parts"][name] = said | interrupted | {"seconds": None, "limit": limit}
            raise
        finally:
            write(folder, results)
        print(f"  {table.became(results['parts'][name])}", flush=True)
        waiting.remove(name)


def part(folder: RunFolder, name: str, task: Task, limit: float) -> dict[str, Any]:
    """The outcome of a part: kept if it is done, so that --resume tries the others again."""
    try:
        return folder.piece(
            name, lambda: running.finished(running.run_part(name, task, limit, folder.path))
        )
    except running.Unfinished as unfinished:
        return unfinished.outcome


def write(folder: RunFolder, results: dict[str, Any]) -> None:
    """The numbers and the table as they stand, each file whole or not at all."""
    folder.write("device_check.json", json_bytes(json.loads(json.dumps(results))))
    text = f"# What the device does\n\n{table.summarise(results)}\n"
    folder.write("device_check.md", text.encode())


def draw(folder: RunFolder, results: dict[str, Any]) -> None:
    """The figure, if there is something to draw."""
    if figure.panels_of(results):
        place = folder.subfolder("figures") / "device_check"
        figures.save_figure(place, figure.draw(results))


if __name__ == "__main__":
    cli.run(main)
