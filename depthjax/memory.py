"""How many images a descent can hold at once on this machine."""

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from depthjax.config import InversionConfig
from depthjax.descent import descend, initial_state, numbers_of
from depthjax.inversion import prepared
from depthjax.typing import LayerFn, Variables

SHARE = 0.8
"""Of the free memory that a descent may plan with; the rest is for what runs beside it."""


class Fit(NamedTuple):
    """How a descent of many images is split.

    Fields:
        batch: images × restarts at once.
        batches: how often.
        needed: bytes that one batch takes at most.
        free: bytes that the device has for it, or None if it does not say.
    """

    batch: int
    batches: int
    needed: int
    free: int | None

    def __str__(self) -> str:
        free = "an unknown amount" if self.free is None else _gigabytes(self.free)
        return (
            f"{self.batch} at once in {self.batches} batch{'es' if self.batches > 1 else ''},"
            f" {_gigabytes(self.needed)} each of {free} free"
        )


def fitting_batch(
    layer: LayerFn,
    variables: Variables,
    image_shape: tuple[int, ...],
    count: int,
    config: InversionConfig | None = None,
    *,
    free: int | None = None,
) -> Fit:
    """The largest batch of a descent that fits into memory, all batches of one size.

    If twice all that the loop ever computes would fit beside each other, nothing need be asked.
    Otherwise the compiler says what the whole loop takes, weights included; where `count` images do
    not fit, it is asked about one, and between the two the memory is taken to be linear in the
    batch.

    Args:
        layer, variables, config: as in `depthjax.invert`.
        image_shape: `(H, W, C)`.
        count: images × restarts, on one device.
        free: bytes that may be used; by default `SHARE` of what the device has free.

    Raises:
        ValueError: if not even one image fits.
    """
    config = config or InversionConfig()
    layer, variables = _prepared_shapes(layer, variables, config)
    if free is None:
        available = free_memory()
        free = None if available is None else int(SHARE * available)
    bound = _everything(_traced(layer, variables, image_shape, config, count).jaxpr.jaxpr)
    if free is None or 2 * bound <= free:
        return Fit(count, 1, bound, free)
    needed = partial(descent_memory, layer, variables, image_shape, config)
    whole = needed(count)
    if whole <= free:
        return Fit(count, 1, whole, free)
    one = needed(1)
    if one > free:
        name = getattr(layer, "node", None) or getattr(layer, "__name__", layer)
        raise ValueError(
            f"one image of {image_shape[0]}×{image_shape[1]} at layer {name!r} takes"
            f" {_gigabytes(one)}, but {_gigabytes(free)} are free: use smaller images, an earlier"
            " layer, or rematerialize"
        )
    each = max(1.0, (whole - one) / max(1, count - 1))
    most = max(1, min(count, 1 + int((free - one) / each)))
    batches = -(-count // most)
    batch = -(-count // batches)
    return Fit(batch, batches, int(one + (batch - 1) * each), free)


def _prepared_shapes(
    layer: LayerFn, variables: Variables, config: InversionConfig
) -> tuple[LayerFn, Variables]:
    """What the loop runs on, with shapes for weights: nothing is computed."""
    layers: list[LayerFn] = []

    def prepare(variables: Variables) -> Variables:
        fast, weights = prepared(layer, variables, config)
        layers.append(fast)
        return weights

    weights = jax.eval_shape(prepare, variables)
    return layers[0], weights


def descent_memory(
    layer: LayerFn,
    variables: Variables,
    image_shape: tuple[int, ...],
    config: InversionConfig,
    count: int,
) -> int:
    """Bytes that the compiled loop takes with a batch of `count`: all arguments and buffers.

    The program is compiled and not run; `layer` is taken as it is, not prepared.
    """
    used = _traced(layer, variables, image_shape, config, count).lower().compile().memory_analysis()
    both_ways = used.argument_size_in_bytes + used.output_size_in_bytes - used.alias_size_in_bytes
    return int(both_ways + used.temp_size_in_bytes)


def _traced(
    layer: LayerFn,
    variables: Variables,
    image_shape: tuple[int, ...],
    config: InversionConfig,
    count: int,
) -> Any:
    """The loop with a batch of `count`; the descent itself finds the trace again."""
    start = jax.ShapeDtypeStruct((count, *image_shape), jnp.float32)
    target = jax.eval_shape(layer, variables, start)
    scale = jax.ShapeDtypeStruct((count,), start.dtype)
    state: Any = jax.eval_shape(partial(initial_state, config.structure), start)
    return descend().trace(
        layer,
        config.structure,
        variables,
        target,
        start,
        scale,
        jax.eval_shape(lambda: numbers_of(config, start.dtype)),
        state,
        jax.ShapeDtypeStruct((), jnp.int32),
    )


def _everything(jaxpr: Any) -> int:
    """Bytes of all arrays that a program takes and computes, if none made room for another."""
    arrays = [*jaxpr.invars, *jaxpr.constvars]
    inner = 0
    for equation in jaxpr.eqns:
        arrays += equation.outvars
        for value in jax.tree.leaves(list(equation.params.values()), is_leaf=_is_program):
            if _is_program(value):
                inner += _everything(getattr(value, "jaxpr", value))
    sizes = (getattr(array.aval, "size", 0) * array.aval.dtype.itemsize for array in arrays)
    return inner + sum(sizes)


def _is_program(value: Any) -> bool:
    return hasattr(value, "eqns")


def free_memory() -> int | None:
    """Bytes free on the default device: its own account, or on a CPU what the system grants.

    None where neither says.
    """
    statistics = jax.local_devices()[0].memory_stats() or {}
    if "bytes_limit" in statistics:
        return int(statistics["bytes_limit"] - statistics.get("bytes_in_use", 0))
    granted = [memory for memory in (_system_memory(), _group_memory()) if memory is not None]
    # A processor that is told to be several devices has one memory all the same.
    return min(granted) // jax.local_device_count() if granted else None


def _system_memory(path: Path = Path("/proc/meminfo")) -> int | None:
    """What Linux calls available, with what it can take back from its caches."""
    try:
        lines = dict(line.split(":", 1) for line in path.read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None


def _group_memory(folder: Path = Path("/sys/fs/cgroup")) -> int | None:
    """What a container leaves; its own caches count as free."""
    for limit, usage in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            granted = int((folder / limit).read_text())
            used = int((folder / usage).read_text())
            statistics = (folder / limit).with_name("memory.stat").read_text()
        except (OSError, ValueError):  # no such group, or "max": no limit
            continue
        held = dict(line.split(" ", 1) for line in statistics.splitlines())
        return granted - used + int(held.get("inactive_file", 0))
    return None


def _gigabytes(size: int) -> str:
    return f"{size / 2**30:.2f} GiB"
