"""How much memory there is, how much a program takes, and a word before it is taken."""

from pathlib import Path
from typing import Any

import jax
import numpy as np

from depthjax.devices.sharding import default_device
from depthjax.ops.programs import programs_within

SHARE = 0.8
"""Of the free memory that a computation may plan with; the rest is for what runs beside it."""


class NoRoom(ValueError):
    """Something does not fit into memory."""


def require(what: str, needed: int, advice: str) -> None:
    """Refuses what does not fit, before any of it is allocated.

    Args:
        what: what takes the memory, as the subject of a sentence.
        needed: bytes.
        advice: the smaller setting that would fit.

    Raises:
        NoRoom: if `needed` is more than `usable_memory`.
    """
    free = usable_memory()
    if free is not None and needed > free:
        raise NoRoom(f"{what} takes {gigabytes(needed)}, but {gigabytes(free)} are free: {advice}")


def total_bytes(jaxpr: Any) -> int:
    """Bytes of all arrays that a program takes and computes, if none made room for another."""
    arrays = [*jaxpr.invars, *jaxpr.constvars]
    inner = 0
    for equation in jaxpr.eqns:
        arrays += equation.outvars
        for program in programs_within(equation):
            inner += total_bytes(getattr(program, "jaxpr", program))
    sizes = (getattr(array.aval, "size", 0) * array.aval.dtype.itemsize for array in arrays)
    return inner + sum(sizes)


def tree_bytes(arrays: Any) -> int:
    """Bytes of the arrays of a pytree, or of what has their shapes and dtypes."""
    return sum(leaf.size * np.dtype(leaf.dtype).itemsize for leaf in jax.tree.leaves(arrays))


def usable_memory() -> int | None:
    """Bytes that a computation may plan with: `SHARE` of what is free, None where unknown."""
    free = free_memory()
    return None if free is None else int(SHARE * free)


def free_memory() -> int | None:
    """Bytes free on the default device: its own account, or on a CPU what the system grants.

    None where neither says.
    """
    device = default_device()
    statistics = device.memory_stats() or {}
    if "bytes_limit" in statistics:
        return int(statistics["bytes_limit"] - statistics.get("bytes_in_use", 0))
    granted = [memory for memory in (_system_memory(), _group_memory()) if memory is not None]
    # A processor that is told to be several devices has one memory all the same.
    return min(granted) // jax.local_device_count(device.platform) if granted else None


def _system_memory(path: Path = Path("/proc/meminfo")) -> int | None:
    """What Linux calls available, with what it can take back from its caches."""
    try:
        lines = dict(line.split(":", 1) for line in path.read_text(encoding="utf-8").splitlines())
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
            granted = int((folder / limit).read_text(encoding="utf-8"))
            used = int((folder / usage).read_text(encoding="utf-8"))
            statistics = (folder / limit).with_name("memory.stat").read_text(encoding="utf-8")
        except (OSError, ValueError):  # no such group, or "max": no limit
            continue
        held = dict(line.split(" ", 1) for line in statistics.splitlines())
        return granted - used + int(held.get("inactive_file", 0))
    return None


def gigabytes(size: int) -> str:
    """As people read it.

    >>> gigabytes(3 * 2**29)
    '1.50 GiB'
    """
    return f"{size / 2**30:.2f} GiB"
