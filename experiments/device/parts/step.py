"""A step of ours over the bare gradient, and over PyTorch's: parts a, b, e of the benchmark."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks import parts
from benchmarks.contenders import CONTENDERS, bare, loop
from benchmarks.inputs import Inputs
from benchmarks.job import Job
from benchmarks.quantities import flops_per_second, ratios

import depthjax
from depthjax.tables import median_and_range

from ..task import Rows, Task, Tell

PEERS = ("tuned", "compiled")
_OURS = {"loop": loop.build, "bare": bare.build}


class Inside:
    """A contender of ours within this process: of a TPU no second process gets hold.

    Args:
        contender: `loop` or `bare`.
        job: what it gets.
    """

    pid = None
    """That of its process would be ours, whose turns are those of all contenders."""

    def __init__(self, contender: str, job: Job) -> None:
        began = time.perf_counter()
        self._built = _OURS[contender](job)
        self.start_seconds = time.perf_counter() - began

    def ask(self, request: str, *numbers: int) -> Any:
        """As `benchmarks.workers.Worker.ask`."""
        return getattr(self._built, request)(*numbers)

    def __enter__(self) -> "Inside":
        return self

    def __exit__(self, *_: object) -> None:
        return None


class OneProcess(parts.Bench):
    """A benchmark whose contenders take their turns within one process."""

    def start(self, contender: str, job: Job, **environment: str) -> Any:
        """A contender in the place of its worker."""
        return Inside(contender, job)


def measure(task: Task, tell: Tell) -> None:
    """Races at one layer with a larger and a smaller batch, each told when it ends."""
    network = task.network
    model = depthjax.build_model(network.model, **network.fields)
    races: list[dict[str, Any]] = []

    def keep(name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        races.append(make())
        tell({"races": races})
        return races[-1]

    kind = OneProcess if task.platform == "tpu" else parts.Bench
    with tempfile.TemporaryDirectory() as arrays:
        inputs = Inputs(Path(arrays), network.model, network.fields, model, seed=0)
        say = lambda text: print(text, flush=True)  # noqa: E731
        kind(settings_of(task), inputs, say, keep).races(("a", "b", "e"))


def settings_of(task: Task) -> parts.Settings:
    """The settings of a short benchmark; those of parts that do not run are empty."""
    network = task.network
    peers = PEERS if task.peers_python and task.platform != "tpu" else ()
    return parts.Settings(
        layers=(network.layer,),
        batches=(2,) if task.small else (8, 1),
        size=network.size,
        rounds=2 if task.small else 7,
        steps=2 if task.small else 0,
        turn_seconds=0.5,
        peers_python=task.peers_python,
        huge_pages=True,
        curve_layer="", curve_batches=(), curve_sizes=(), curve_restarts=(),
        presets=(), preset_layers=(), preset_images=0, preset_size=0, preset_steps=0,
        contenders=("bare", *peers),
        imports=0,
        jacobian_layers=(), jacobian_sizes=(), jacobian_pairs=0,
    )  # fmt: skip


def rows(numbers: dict[str, Any]) -> Rows:
    """Milliseconds, what they are over, and the share of the peak, of each race."""
    found = []
    for race in numbers.get("races", []):
        where = f"{race['layer']}, batch {race['batch']}, {race['size']}²"
        milliseconds = 1e3 * np.asarray(race["entries"]["loop"]["seconds"])
        found.append((f"{where}: ms a step", median_and_range(milliseconds)))
        found.append(("… over the bare gradient", median_and_range(ratios(race, "loop", "bare"))))
        if (speed := flops_per_second(race, "loop")).size and race.get("peak_flops"):
            share = f"{np.median(speed) / race['peak_flops']:.0%}"
            found.append(("… of the peak, float32", f"{share} ({race['peak_source']})"))
        for name in PEERS:
            entry = race["entries"].get(name, {"absent": "no --peers_python"})
            over = median_and_range(ratios(race, name, "loop"))
            found.append(
                (f"… {CONTENDERS[name].title} over it", entry.get("absent", over))
            )  # a peer that is absent says why
    return found
