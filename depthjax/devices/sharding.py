"""Meshes of devices: batches are split between them, weights lie whole on each.

A training step needs the whole batch (BatchNorm, the mean gradient), so its devices communicate.
In descents and Jacobian products each device has its own examples or probes, and nothing is passed.
"""

import math
from collections.abc import Callable
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
    """How examples are divided into batches, and each batch over devices.

    Rounding in float32 depends on how many examples a program holds, so a descent that goes on from
    a checkpoint needs the same split again.

    Fields:
        devices: how many work at once.
        per_device: examples on each of them.
        batches: how many run one after the other.
    """

    devices: int
    per_device: int
    batches: int

    @property
    def batch(self) -> int:
        """Examples of a batch, over all devices; where examples run out some are repeated."""
        return self.devices * self.per_device


def split_of(
    count: int, devices: int, most: int | None = None, *, all_devices: bool = False
) -> Split:
    """The split with the fewest batches, then the fewest examples on a device, then devices.

    Args:
        count: how many examples, at least one.
        devices: how many there are.
        most: examples that may run at once, over all devices.
        all_devices: use every device, with at least one example each, because each holds a part of
            the weights.
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


def is_default(mesh: Mesh) -> bool:
    """Whether it is the one device where arrays lie anyway, so that none has to be placed."""
    return list(np.ravel(mesh.devices)) == [default_device()]


def default_device() -> jax.Device:
    """Where arrays lie that nobody places."""
    given = getattr(jax.config, "jax_default_device")  # noqa: B009 (types do not know it)
    return given if isinstance(given, jax.Device) else jax.local_devices(backend=given)[0]


def _line(devices: list[jax.Device]) -> Mesh:
    # `jax.make_mesh` would ask that the chips of a TPU are a whole cuboid, which three are not.
    return Mesh(np.array(devices), (AXIS,), axis_types=(AxisType.Auto,))


def grid_of(mesh: Mesh, images: int) -> Mesh:
    """The devices of a mesh as a grid `images × probes`.

    As many as possible lie along the first axis such that they divide the images evenly; those
    along the second divide the probes of each image, of which there can be any number.
    """
    along = math.gcd(mesh.size, images)
    devices = np.reshape(mesh.devices, (along, mesh.size // along))
    return Mesh(devices, (IMAGES, PROBES), axis_types=(AxisType.Auto, AxisType.Auto))


def split_batch(mesh: Mesh) -> NamedSharding:
    """Arrays whose first axis is shared out between the devices."""
    return NamedSharding(mesh, BY_EXAMPLE)


def replicated(mesh: Mesh) -> NamedSharding:
    """Arrays that every device holds whole."""
    return NamedSharding(mesh, WHOLE)


def on_each(
    function: Callable[..., Any], mesh: Mesh | None, in_specs: Any, out_specs: Any
) -> Callable[..., Any]:
    """A function of arrays by every device for its part of them; itself where there is no mesh.

    Args:
        function: what each device does by itself.
        mesh: the devices; None for the one where the arrays lie.
        in_specs, out_specs: how arguments and results lie on the mesh, as `jax.shard_map` takes it.
    """
    if mesh is None:
        return function
    return jax.shard_map(
        function, mesh=mesh, in_specs=in_specs, out_specs=out_specs, check_vma=False
    )


def replicate(arrays: Any, mesh: Mesh) -> Any:
    """Arrays as `replicated`, any pytree of them."""
    return jax.device_put(arrays, replicated(mesh))


def check_divides(mesh: Mesh, batch_size: int, what: str = "a batch") -> None:
    """Refuses a batch that the devices do not divide.

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
