"""A data set that is read once and then held on the device, so that no step waits for the host."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from depthjax.data.dataset import Dataset
from depthjax.devices.memory import require

CHUNK = 256
"""How many examples are read at once."""


def held_on_device(dataset: Dataset) -> Dataset:
    """The same examples, gathered from the memory of the first device.

    For sets that are slow to read, such as noise, which is drawn each time. `read` then gives JAX
    arrays.

    Args:
        dataset: from `open_dataset`.

    Raises:
        ValueError: if several processes share the devices, or if there is no room for it.
    """
    if jax.process_count() > 1:
        raise ValueError("a data set is held on the device of one process, and there are several")
    first, _ = dataset.read(np.arange(1))
    size = len(dataset) * first.nbytes
    require(f"{dataset.name} on the device", 2 * size, "read it from the host instead")
    starts = range(0, len(dataset), CHUNK)
    parts = [dataset.read(np.arange(start, min(start + CHUNK, len(dataset)))) for start in starts]
    images = jnp.concatenate([jnp.asarray(images) for images, _ in parts])
    labels = jnp.concatenate([jnp.asarray(labels) for _, labels in parts])

    def read(indices: Int[np.ndarray, " b"]) -> tuple[Array, Array]:
        return _gathered(images, labels, jnp.asarray(indices))

    return dataclasses.replace(dataset, read=read)  # type: ignore[arg-type] # JAX arrays serve too


@jax.jit
def _gathered(images: Array, labels: Array, indices: Array) -> tuple[Array, Array]:
    return images[indices], labels[indices]
