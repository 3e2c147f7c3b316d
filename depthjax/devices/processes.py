"""Several processes, on one machine or on many: each does its share, and all get all results.

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


def my_share(count: int) -> Int[np.ndarray, " n"]:
    """The indices of the things that this process does, of `count` in all.

    Every process has as many; where they do not divide `count`, the last ones do the first again.
    """
    processes = jax.process_count()
    indices = np.resize(np.arange(count), (processes, -(-count // processes)))
    return indices[jax.process_index()]


def gather(mine: Any, count: int, *, axis: int = 0) -> Any:
    """The results of all processes; every process gets them.

    Args:
        mine: a pytree of arrays with the results for `my_share(count)` along `axis`; of equal
            shapes in all processes.
        count: of all things.
        axis: along which they lie.

    Returns:
        NumPy arrays with `count` things along the axis.
    """
    if jax.process_count() == 1:
        return jax.tree.map(np.asarray, mine)
    from jax.experimental import multihost_utils

    def gather_array(array: Any) -> np.ndarray:
        own = np.ascontiguousarray(array)
        # As bytes: float64 would pass through float32 where JAX has it switched off.
        sent = multihost_utils.process_allgather(own.reshape(-1).view(np.uint8))
        shares = [np.asarray(share).view(own.dtype).reshape(own.shape) for share in sent]
        return np.take(np.concatenate(shares, axis=axis), np.arange(count), axis=axis)

    return jax.tree.map(gather_array, mine)


def of_first(value: int) -> int:
    """The value that process 0 has, in every process."""
    if jax.process_count() == 1:
        return value
    from jax.experimental import multihost_utils

    return int(multihost_utils.broadcast_one_to_all(np.asarray(value)))
