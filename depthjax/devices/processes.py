"""Several processes, on one machine or on many, as one: each does its share, all get the whole.

Every process makes the same calls in the same order. JAX finds the others by itself under Slurm,
Open MPI, Kubernetes and on TPU pods; elsewhere it is told where the first one listens.
"""

from typing import Any

import jax
import numpy as np
from jaxtyping import Int


def connect(
    coordinator_address: str | None = None,
    num_processes: int | None = None,
    process_id: int | None = None,
) -> None:
    """Joins the other processes; to be called before anything is computed.

    Args:
        coordinator_address: HOST:PORT that process 0 listens at; found by itself on a cluster.
        num_processes, process_id: how many there are, and which this is; likewise.

    Raises:
        ValueError: if there is no cluster to find, or the others do not answer.
    """
    try:
        jax.distributed.initialize(coordinator_address, num_processes, process_id)
    except (RuntimeError, ValueError) as error:
        raise ValueError(
            f"cannot join the other processes ({' '.join(str(error).split())[:200]}); under Slurm,"
            " Open MPI, Kubernetes and on TPU pods they are found by themselves, elsewhere give"
            " --coordinator_address=HOST:PORT, --num_processes and --process_id"
        ) from error


def is_first() -> bool:
    """Whether this is the process that writes and prints."""
    return jax.process_index() == 0


def share(count: int) -> Int[np.ndarray, " n"]:
    """Which of so many things this process does: as many in each, the first again if need be."""
    processes = jax.process_count()
    indices = np.resize(np.arange(count), (processes, -(-count // processes)))
    return indices[jax.process_index()]


def whole(part: Any, count: int, *, axis: int = 0) -> Any:
    """What all processes found, from the shares that each of them has.

    Args:
        part: a pytree of arrays, of `share(count)` along `axis`; equal shapes in all processes.
        count: of all things.
        axis: along which they lie.

    Returns:
        NumPy arrays with `count` things along the axis.
    """
    if jax.process_count() == 1:
        return jax.tree.map(np.asarray, part)
    from jax.experimental import multihost_utils

    def gathered(array: Any) -> np.ndarray:
        mine = np.ascontiguousarray(array)
        # As bytes: float64 would pass through float32 where JAX has it switched off.
        sent = multihost_utils.process_allgather(mine.reshape(-1).view(np.uint8))
        shares = [np.asarray(one).view(mine.dtype).reshape(mine.shape) for one in sent]
        return np.take(np.concatenate(shares, axis=axis), np.arange(count), axis=axis)

    return jax.tree.map(gathered, part)


def of_first(value: int) -> int:
    """The value that process 0 has."""
    if jax.process_count() == 1:
        return value
    from jax.experimental import multihost_utils

    return int(multihost_utils.broadcast_one_to_all(np.asarray(value)))
