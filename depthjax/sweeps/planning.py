"""What a sweep will take: FLOPs and memory as the compiler states them, seconds as measured.

The compiler counts the body of a loop once, so its FLOPs are those of one pass (and of the first
gradient), and a descent makes `steps + 1` passes. Seconds are those of a few passes on this device.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from depthjax.devices.sharding import local_mesh, split_of
from depthjax.inversion.loop import descend
from depthjax.inversion.memory import compiled_memory, fitting_batch
from depthjax.inversion.preparing import prepare_for_descent
from depthjax.inversion.problem import Data, numbers_of
from depthjax.inversion.state import initial_state
from depthjax.sweeps.cells import Cell
from depthjax.sweeps.inversions import load_cell, program

MEASURED_PASSES = 3


@dataclass(frozen=True)
class ProgramPlan:
    """What the cells of one compiled program take on one device.

    Fields:
        network, model, layer: of its first cell.
        cells: how many cells it serves.
        examples: images × restarts of a cell.
        flops: FLOPs of one cell, from the compiler's count of one pass.
        memory: bytes that a device needs at once.
        compile_seconds: how long the program compiles, once.
        seconds: how long one cell runs, without the measurement at its end.
    """

    network: str
    model: str
    layer: str
    cells: int
    examples: int
    flops: float
    memory: int
    compile_seconds: float
    seconds: float


class Plan(NamedTuple):
    """What a sweep takes.

    Fields:
        programs: one for each compiled program.
        device: the kind of device that was measured.
    """

    programs: tuple[ProgramPlan, ...]
    device: str

    @property
    def cells(self) -> int:
        """The number of cells of all programs."""
        return sum(program.cells for program in self.programs)

    @property
    def flops(self) -> float:
        """FLOPs of all cells."""
        return sum(program.cells * program.flops for program in self.programs)

    @property
    def memory(self) -> int:
        """Bytes that the largest program needs on a device."""
        return max(program.memory for program in self.programs)

    @property
    def device_seconds(self) -> float:
        """Seconds of all cells one after another on one device, compilation included."""
        return sum(p.compile_seconds + p.cells * p.seconds for p in self.programs)

    def seconds_on(self, devices: int) -> float:
        """The projected seconds on several devices.

        Cells do not wait for each other, and every device compiles its own programs. The cells of
        a program are spread evenly over the devices; the sweep ends with the slowest device.
        """
        running = sum(p.cells * p.seconds for p in self.programs) / devices
        longest = max(p.compile_seconds + p.seconds for p in self.programs)
        programs = max(1.0, len(self.programs) / devices)
        compiling = sum(p.compile_seconds for p in self.programs) / len(self.programs) * programs
        return max(running + compiling, longest)

    def devices_for(self, seconds: float) -> int | None:
        """The number of devices that ends the sweep within a time; None if no number does."""
        if self.seconds_on(self.cells) > seconds:
            return None
        low, high = 1, self.cells
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self.seconds_on(middle) <= seconds else (middle + 1, high)
        return low


def plan(cells: Sequence[Cell], *, measured: bool = True) -> Plan:
    """Compiles one cell of each program, runs a few passes of it, and adds everything up.

    Args:
        cells: from `inversion_cells`.
        measured: whether seconds are measured; otherwise they are NaN, and nothing is run.

    Raises:
        ValueError: for no cells, and for what a cell cannot load.
    """
    if not cells:
        raise ValueError("there are no cells to plan")
    by_program: dict[str, list[Cell]] = {}
    for cell in cells:
        by_program.setdefault(program(cell), []).append(cell)
    device = jax.local_devices()[0]
    return Plan(
        tuple(_planned(alike[0], len(alike), measured) for alike in by_program.values()),
        f"{device.platform}: {device.device_kind}",
    )


def _planned(cell: Cell, cells: int, measured: bool) -> ProgramPlan:
    of_cell, variables, _, images, config = load_cell(cell)
    count = len(images) * config.restarts
    one = local_mesh(1)
    fit = fitting_batch(of_cell, variables, images.shape[1:], count, config, mesh=one)
    split = split_of(count, 1, fit.batch)
    layer, weights = prepare_for_descent(of_cell, variables, config, images)
    start = jnp.resize(images, (split.per_device, *images.shape[1:]))
    embed = jax.jit(layer) if measured else partial(jax.eval_shape, layer)
    scale = jnp.ones(len(start), start.dtype)
    data = Data(embed(weights, start), start, scale, numbers_of(config, start.dtype))
    arguments: tuple[Any, ...] = weights, data
    fresh = partial(initial_state, config.structure)
    began = time.perf_counter()
    lowered = descend(None, start.dtype).lower(
        layer, config.structure, *arguments, fresh(start), jnp.asarray(config.steps + 1)
    )
    compiled = lowered.compile()
    compile_seconds = time.perf_counter() - began
    passes = (config.steps + 1) * split.batches
    seconds = math.nan
    if measured:
        seconds = _seconds_of_a_pass(compiled, arguments, fresh, start) * passes
    return ProgramPlan(
        **{name: cell[name] for name in ("network", "model", "layer")},
        cells=cells,
        examples=count,
        flops=flops_of(lowered, compiled) * passes,
        memory=compiled_memory(compiled),
        compile_seconds=compile_seconds,
        seconds=seconds,
    )


def flops_of(lowered: Any, compiled: Any) -> float:
    """FLOPs of one pass: the larger count of the program before and after optimisation.

    A backend that hands convolutions to a library may not count them afterwards.
    """
    counts = [(source.cost_analysis() or {}).get("flops", 0.0) for source in (lowered, compiled)]
    return float(max(counts))


def _seconds_of_a_pass(compiled: Any, arguments: Any, fresh: Any, start: Any) -> float:
    """The median of a few passes, after one that warms up."""
    state = fresh(jnp.array(start))
    taken = []
    for stop in range(1, MEASURED_PASSES + 2):
        began = time.perf_counter()
        state, *_ = compiled(*arguments, state, jnp.asarray(stop))
        jax.block_until_ready(state)
        taken.append(time.perf_counter() - began)
    return sorted(taken[1:])[MEASURED_PASSES // 2]
