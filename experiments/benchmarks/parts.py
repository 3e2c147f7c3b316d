"""What is measured, by letter.

a  a step of ours over the bare gradient          }
b  images · steps a second, against PyTorch       }  all four read the same races
e  operations a second, and share of the peak     }
g  peak memory                                    }
c  cost against depth, batch, image size and restarts
d  seconds until ρ ≤ 1 and ρ ≤ 0.1, by preset
f  import, first step, and the compilation cache
h  the input pipeline against a training step
j  eigenvalues of JᵀJ, against plenoptic: errors at equal products, and seconds a product
k  a step of the peer's network, imported, over a step of ours
m  a metamer against plenoptic, a Fourier parametrisation against PyTorch
n  each convolution up to the last layer, and its transpose, against PyTorch
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import depthjax
from depthjax import InversionConfig
from depthjax.errors import one_of

from . import convolutions, methods
from .contenders import COMPARED, METHODS, PEERS, SPECTRA, SPECTRAL_PEERS
from .inputs import Inputs
from .job import Job
from .machine import data_sheet_peak
from .quantities import ratios_said
from .racing import race
from .workers import HUGE_PAGES, Worker, WorkerError

PARTS = {
    "a": "a step over the bare gradient",
    "b": "images · steps a second against peers",
    "c": "cost against depth, batch, size and restarts",
    "d": "seconds to ρ ≤ 1 and ρ ≤ 0.1 by preset",
    "e": "operations a second",
    "f": "import, first step and compilation cache",
    "g": "peak memory",
    "h": "the input pipeline against a training step",
    "j": "eigenvalues of JᵀJ against plenoptic",
    "k": "the peer's network, imported, against ours",
    "m": "methods of the field, by those who know them and by us",
    "n": "convolutions one by one against PyTorch",
}
ALL_PEERS = (*PEERS, *SPECTRAL_PEERS, *METHODS, convolutions.THEIRS)
RACED = ("a", "b", "e", "g")
SEEDS = 3
"""Starts of each contender of part j: its error is random."""
FED_STEPS = 50
FED = Job("", "resnet18", {"width": 16, "stem": "small", "num_classes": 12}, "", batch=64, size=32)
"""A network that trains on a CPU in minutes: it waits for its input sooner than others do."""


@dataclass(frozen=True)
class Settings:
    """How much is measured, and how often.

    Fields:
        layers, batches, size: of the races.
        rounds, steps, turn_seconds: of every race, see `racing.race`.
        peers_python: interpreter of the peers.
        huge_pages: whether processes ask for them.
        curve_layer, curve_batches, curve_sizes, curve_restarts: of part c.
        presets, preset_layers, preset_images, preset_size, preset_steps: of part d.
        contenders: who takes part in races beside ours.
        imports: how often each import is timed.
        jacobian_layers, jacobian_sizes, jacobian_pairs: of part j.
    """

    layers: Sequence[str]
    batches: Sequence[int]
    size: int
    rounds: int
    steps: int
    turn_seconds: float
    peers_python: str
    huge_pages: bool
    curve_layer: str
    curve_batches: Sequence[int]
    curve_sizes: Sequence[int]
    curve_restarts: Sequence[int]
    presets: Sequence[str]
    preset_layers: Sequence[str]
    preset_images: int
    preset_size: int
    preset_steps: int
    contenders: Sequence[str]
    imports: int
    jacobian_layers: Sequence[str]
    jacobian_sizes: Sequence[int]
    jacobian_pairs: int


def checked_parts(parts: Iterable[str]) -> tuple[str, ...]:
    """The letters in order.

    Raises:
        ValueError: for one that is no part.
    """
    asked = [one_of("part", part, PARTS) for part in parts]
    if not asked:
        raise ValueError(f"no part to measure; known: {', '.join(PARTS)}")
    return tuple(part for part in PARTS if part in asked)


Keep = Callable[[str, Callable[[], dict[str, Any]]], dict[str, Any]]


@dataclass(frozen=True)
class Bench:
    """Measures parts for one network.

    Args:
        settings: how much.
        inputs: makes the jobs.
        say: called with everything that begins.
        keep: gives the numbers of a name, measured by the function unless an earlier run that was
            cut off has measured them; see `RunFolder.piece`.
    """

    settings: Settings
    inputs: Inputs
    say: Callable[[str], None]
    keep: Keep

    def start(self, contender: str, job: Job, **environment: str) -> Worker:
        """A worker in the interpreter that it belongs to."""
        theirs = contender in ALL_PEERS
        python = self.settings.peers_python if theirs else sys.executable
        pages = HUGE_PAGES if self.settings.huge_pages else {}
        return Worker(contender, job, python=python, environment=pages | environment)

    def races(self, parts: Sequence[str]) -> list[dict[str, Any]]:
        """Every layer and batch: all contenders that the parts among `RACED` need."""
        settings = self.settings
        names = ["loop"]
        names += ["bare"] if {"a", "e"} & set(parts) else []
        names += PEERS if {"b", "g"} & set(parts) else ()
        names = [name for name in names if name == "loop" or name in settings.contenders]

        def race_at(layer: str, batch: int) -> dict[str, Any]:
            self.say(f"{layer}, batch {batch}: {', '.join(names)}")
            job = self.inputs.job(layer, batch, settings.size)
            bare = ("flops", "product_flops") if "e" in parts else ()
            result = self._race({name: (name, job) for name in names}, {"bare": bare})
            result |= {"layer": layer, "batch": batch, "size": settings.size}
            return result | self._peak(result)

        found = []
        for layer in settings.layers:
            for batch in settings.batches:
                found.append(self.keep(f"race-{layer}-{batch}", partial(race_at, layer, batch)))
                self.say(f"{layer}, batch {batch}: {ratios_said(found[-1])}")
        return found

    def _peak(self, result: dict[str, Any]) -> dict[str, Any]:
        """The peak of the device, from its data sheet or else from the product that was timed."""
        measured = result["entries"].get("bare", {}).get("product_flops")
        if measured is None:
            return {}
        device = result["entries"]["bare"]["about"]["device"]
        if device.startswith("cpu"):
            return {"peak_flops": measured, "peak_source": "measured: a product of matrices"}
        precision = InversionConfig.preset("paper").precision
        return {"peak_flops": data_sheet_peak(device, precision), "peak_source": "data sheet"}

    def _race(
        self, entries: dict[str, tuple[str, Job]], questions: dict[str, tuple[str, ...]]
    ) -> dict[str, Any]:
        settings = self.settings
        return race(
            self.start,
            entries,
            ALL_PEERS,
            rounds=settings.rounds,
            steps=settings.steps,
            turn_seconds=settings.turn_seconds,
            questions=questions,
        )

    def curves(self) -> dict[str, list[dict[str, Any]]]:
        """Seconds a step of ours against one setting at a time, its values interleaved."""
        settings = self.settings
        base = {"layer": settings.curve_layer, "batch": 1, "size": settings.size}
        swept: dict[str, Sequence[Any]] = {
            "layer": settings.layers,
            "batch": settings.curve_batches,
            "size": settings.curve_sizes,
            "restarts": settings.curve_restarts,
        }

        def curve(name: str) -> dict[str, Any]:
            values = swept[name]
            self.say(f"cost against {name}: {', '.join(map(str, values))}")
            entries = {
                str(value): ("loop", self.inputs.job(**(base | {name: value}))) for value in values
            }
            results = self._race(entries, {})["entries"]
            seconds = {value: results[str(value)]["seconds"] for value in values}
            return {"points": [base | {name: v, "seconds": seconds[v]} for v in values]}

        return {name: self.keep(f"curve-{name}", partial(curve, name))["points"] for name in swept}

    def presets(self) -> list[dict[str, Any]]:
        """Descents of every preset at every layer, each in its own process."""
        settings = self.settings

        def descend(preset: str, layer: str) -> dict[str, Any]:
            self.say(f"{preset} at {layer} until it is near")
            job = self.inputs.job(
                layer,
                settings.preset_images,
                settings.preset_size,
                preset=preset,
                steps=settings.preset_steps,
            )
            try:
                with self.start("descent", job) as worker:
                    descent = worker.ask("descend")
            except WorkerError as error:
                raise WorkerError(f"{preset} at {layer} failed: {error}") from error
            about = {"images": job.batch, "size": job.size}
            return {"preset": preset, "layer": layer} | about | descent

        return [
            self.keep(f"descent-{preset}-{layer}", partial(descend, preset, layer))
            for preset in settings.presets
            for layer in settings.preset_layers
        ]

    def spectra(self) -> list[dict[str, Any]]:
        """Every layer and size of part j: the largest eigenvalues of JᵀJ by all that find them."""
        pairs = self.settings.jacobian_pairs
        asked = {
            name: tuple(f"top {k} {pairs} {seed}" for seed in range(SEEDS))
            for name, k in COMPARED.items()
        }
        truth = f"truth {max(COMPARED.values())}"
        questions = asked | {"spectrum": (*sum(asked.values(), ()), truth)}

        def race_at(layer: str, size: int) -> dict[str, Any]:
            self.say(f"eigenvalues at {layer}, {size}×{size}: {', '.join(SPECTRA)}")
            job = self.inputs.job(layer, 1, size)
            result = self._race({name: (name, job) for name in SPECTRA}, questions)
            return result | {"layer": layer, "batch": 1, "size": size, "pairs": pairs}

        return [
            self.keep(f"spectrum-{layer}-{size}", partial(race_at, layer, size))
            for layer in self.settings.jacobian_layers
            for size in self.settings.jacobian_sizes
        ]

    def imports(self) -> list[dict[str, Any]]:
        """Every layer and batch: our network, and the same imported from PyTorch."""
        settings = self.settings

        def race_at(layer: str, batch: int) -> dict[str, Any]:
            self.say(f"{layer}, batch {batch}: ours, imported")
            job = self.inputs.job(layer, batch, settings.size)
            imported = replace(job, model=job.peer, fields={})
            result = self._race({"loop": ("loop", job), "imported": ("loop", imported)}, {})
            return result | {"layer": layer, "batch": batch, "size": settings.size}

        return [
            self.keep(f"imported-{layer}-{batch}", partial(race_at, layer, batch))
            for layer in settings.layers
            for batch in settings.batches
        ]

    def methods(self) -> list[dict[str, Any]]:
        """Every method of part m at every layer and batch."""
        settings = self.settings
        layers, batches = tuple(settings.layers), tuple(settings.batches)
        how = (self._race, self.keep, self.say)
        return methods.measure(self.inputs, layers, batches, settings.size, *how)

    def convolutions(self) -> list[dict[str, Any]]:
        """Every kind of convolution up to the last layer, at every batch."""
        settings = self.settings
        node = depthjax.Layer(self.inputs.model, settings.layers[-1]).node
        kinds = convolutions.kinds_of(self.inputs.model, node, settings.size)
        how = (self._race, self.keep, self.say)
        return convolutions.measure(kinds, tuple(settings.batches), *how)

    def feeding(self) -> dict[str, Any]:
        """Batches read and augmented, beside training steps of a small network."""
        return self.keep("feeding", self._feeding)

    def _feeding(self) -> dict[str, Any]:
        self.say(f"input pipeline and training, batch {FED.batch}, {FED.size}×{FED.size}")
        entries = {"pipeline": ("feeding", FED), "training": ("training", FED)}
        # As many turns as the pipeline makes in a second keep the training busy for a minute.
        settings = replace(self.settings, steps=self.settings.steps or FED_STEPS)
        result = replace(self, settings=settings)._race(entries, {})
        return result | {"batch": FED.batch, "size": FED.size}

    def startup(self) -> dict[str, Any]:
        """Seconds to import, and of a first step without and with a compilation cache."""
        return self.keep("startup", self._startup)

    def _startup(self) -> dict[str, Any]:
        # Of names, since `import depthjax` alone imports nothing yet.
        imports: dict[str, list[float]] = {
            "from depthjax import Layer, build_model, init_variables, invert": [],
            "import jax, flax.linen, optax": [],
        }
        self.say("imports")
        for turn in range(self.settings.imports + 1):
            for statement, seconds in imports.items():
                took = _import_seconds(statement)
                if turn:  # the first import reads files that nobody had read yet
                    seconds.append(took)
        layer = self.settings.layers[-1]
        job = self.inputs.job(layer, 1, self.settings.size)
        first_steps = {}
        with tempfile.TemporaryDirectory() as cache:
            for kind in ("cold", "warm"):
                self.say(f"first step at {layer}, {kind} cache")
                with self.start("loop", job, **_caching(cache)) as worker:
                    first = worker.ask("steps", 1)
                    first_steps[kind] = {
                        "start_seconds": worker.start_seconds,
                        "first_step_seconds": first,
                        "compile_seconds": worker.ask("compile_seconds"),
                    }
        return {"imports": imports, "layer": layer, "first_step": first_steps}


def _import_seconds(statement: str) -> float:
    code = f"import time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    return float(ran.stdout)


def _caching(folder: str) -> dict[str, str]:
    """What `depthjax.cli.enable_compilation_cache` sets, in a folder of our own."""
    return {
        "JAX_ENABLE_COMPILATION_CACHE": "true",
        "JAX_COMPILATION_CACHE_DIR": folder,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
