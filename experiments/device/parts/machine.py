"""Which machine this is: asked in a process that ends, since a TPU has room for one at a time."""

import jax
from benchmarks.machine import describe

from depthjax.devices.unused import unused_accelerator

from ..task import Absent, Task, Tell


def measure(task: Task, tell: Tell) -> None:
    """Versions, device, processor, and what the device says of its memory.

    Raises:
        Absent: if there is an accelerator that JAX does not use.
    """
    if line := unused_accelerator():
        raise Absent(line)
    statistics = jax.devices()[0].memory_stats() or {}
    tell(describe() | {"device_memory": statistics.get("bytes_limit")})
