"""All devices as one: batches are split between them, weights lie on each.

A training step needs the whole batch (BatchNorm, the mean gradient), so its devices talk. Descents
and Jacobian products do not: each device has its own examples and probes, and nothing passes
between them.
"""

import math
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

AXIS = "data"
"""The one axis of every mesh here but that of `grid_of`."""

BY_EXAMPLE, WHOLE = PartitionSpec(AXIS), PartitionSpec()
"""How arrays lie on a mesh: split along their first axis, or whole on every device."""

COLUMN_BY_EXAMPLE = PartitionSpec(None, AXIS)
"""Arrays that are split along their second axis, such as `[records, examples]`."""

IMAGES, PROBES = "images", "probes"
"""The axes of `grid_of`."""


class Split(NamedTuple):
    """How many examples are shared out: in batches, one after the other, each over devices.

    Rounding in float32 depends on how many examples one program holds, so a descent that is to be
    continued needs the same split again.

    Fields:
        devices: that work at once.
        per_device: examples that each of them holds.
        batches: how often.
    """

    devices: int
    per_device: int
    batches: int

    @property
    def batch(self) -> int:
        """Examples at once, over all devices; the last of them may be there twice."""
        return self.devices * self.per_device


def split_of(
    count: int, devices: int, most: int | None = None, *, all_devices: bool = False
) -> Split:
    """As few batches as possible, then as few examples on a device, then as few devices.

    Args:
        count: examples, at least one.
        devices: that there are.
        most: examples that may run at once, over all devices.
        all_devices: whether all devices work, with one example each at least, because each holds a
            part of the weights.
    """
    if not all_devices:
        devices = min(devices, count, most or count)
    per_device = -(-count // devices)
    if most is not None:
        per_device = max(1, min(per_device, most // devices))
    batches = -(-count // (devices * per_device))
    per_device = -(-count // (batches * devices))
    if not all_devices:
        devices = -(-count // (batches * per_device))
    return Split(devices, per_device, batches)


def data_mesh() -> Mesh:
    """Every device of every process along one axis."""
    return _line(jax.devices())


def local_mesh(devices: int | None = None) -> Mesh:
    """The devices of this process along one axis, or the first `devices` of them."""
    return _line(jax.local_devices()[:devices])


def part_of(mesh: Mesh, devices: int) -> Mesh:
    """The first devices of a mesh, as one along one axis."""
    return _line(list(np.ravel(mesh.devices))[:devices])


def _line(devices: list[jax.Device]) -> Mesh:
    return jax.make_mesh((len(devices),), (AXIS,), axis_types=(AxisType.Auto,), devices=devices)


def grid_of(mesh: Mesh, images: int) -> Mesh:
    """The devices of a mesh as `images × probes`: as many along the first as share images evenly.

    What is left of them shares the probes of each image, of which there can be any number.
    """
    along = math.gcd(mesh.size, images)
    return jax.make_mesh(
        (along, mesh.size // along),
        (IMAGES, PROBES),
        axis_types=(AxisType.Auto, AxisType.Auto),
        devices=list(np.ravel(mesh.devices)),
    )


def split_batch(mesh: Mesh) -> NamedSharding:
    """Arrays whose first axis is shared out between the devices."""
    return NamedSharding(mesh, BY_EXAMPLE)


def replicated(mesh: Mesh) -> NamedSharding:
    """Arrays that every device holds whole."""
    return NamedSharding(mesh, WHOLE)


def replicate(arrays: Any, mesh: Mesh) -> Any:
    """Arrays as `replicated`, any pytree of them."""
    return jax.device_put(arrays, replicated(mesh))


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
