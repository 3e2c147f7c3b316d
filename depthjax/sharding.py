"""All devices as one: batches are split between them, weights lie on each."""

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array
from numpy.typing import ArrayLike

_AXIS = "data"


def data_mesh() -> Mesh:
    """Every device of every process along one axis."""
    return jax.make_mesh((jax.device_count(),), (_AXIS,), axis_types=(AxisType.Auto,))


def split_batch(mesh: Mesh) -> NamedSharding:
    """Arrays whose first axis is shared out between the devices."""
    return NamedSharding(mesh, PartitionSpec(_AXIS))


def replicated(mesh: Mesh) -> NamedSharding:
    """Arrays that every device holds whole."""
    return NamedSharding(mesh, PartitionSpec())


def spread(mesh: Mesh, array: ArrayLike) -> Array:
    """An array on all devices: a share of its first axis on each, or a copy where that is uneven.

    Args:
        mesh: from `data_mesh`.
        array: such as a batch `[B, …]`; shared out if B is a multiple of the devices' number.
    """
    shape = np.shape(array)
    even = bool(shape) and shape[0] % mesh.size == 0
    return jax.device_put(array, split_batch(mesh) if even else replicated(mesh))


def check_divides(mesh: Mesh, batch_size: int, what: str = "a batch") -> None:
    """Refuses a batch that the devices cannot share evenly.

    Raises:
        ValueError: naming the nearest sizes that they can.
    """
    devices = mesh.size
    if batch_size % devices:
        below = batch_size // devices * devices
        nearest = f"{below} or {below + devices}" if below else str(devices)
        raise ValueError(
            f"{what} of {batch_size} cannot be shared by {devices} devices; take {nearest}"
        )
