"""Weights that do not fit on one device lie in parts on several.

Each device holds a part of every array, and gathers the whole array only while an operation uses
it. So every step passes all weights between the devices, twice with the gradient. Weights that fit
should be replicated instead (`depthjax.devices.sharding`): then nothing is passed.
"""

import dataclasses
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array

from depthjax.devices.memory import tree_bytes, usable_memory
from depthjax.devices.sharding import AXIS, WHOLE, on_each
from depthjax.errors import name_of_layer
from depthjax.typing import Embedding, Inputs, LayerFn, Variables


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Spread:
    """An array of which every device holds a part.

    Fields:
        part: outside of `shard_map` the whole array, split over the mesh; inside, this device's.
        axis: along which it is split.
    """

    part: Any
    axis: int = field(metadata={"static": True})


def spread(weights: Variables, mesh: Mesh) -> Variables:
    """Arrays as `Spread`, each along its longest axis that the devices divide.

    Args:
        weights: any pytree of arrays, or of their shapes and dtypes. An array that has no such axis
            lies whole on every device.
        mesh: along one axis.
    """

    def place(leaf: Any, spec: PartitionSpec) -> Any:
        sharding = NamedSharding(mesh, spec)
        if isinstance(leaf, jax.ShapeDtypeStruct):
            return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)
        return jax.device_put(leaf, sharding)

    def spread_leaf(leaf: Any) -> Any:
        fitting = [axis for axis, size in enumerate(leaf.shape) if size % mesh.size == 0]
        if not fitting:
            return place(leaf, WHOLE)
        axis = max(fitting, key=lambda axis: leaf.shape[axis])
        return Spread(place(leaf, _along(axis)), axis)

    return jax.tree.map(spread_leaf, weights)


def specs(weights: Variables) -> Any:
    """How each array lies on the devices, as `shard_map` takes it."""

    def spec(leaf: Any) -> Any:
        if isinstance(leaf, Spread):
            return dataclasses.replace(leaf, part=_along(leaf.axis))
        return WHOLE

    return jax.tree.map(spec, weights, is_leaf=_is_spread)


def gathered(weights: Variables) -> Variables:
    """The whole arrays; call it inside of `shard_map`."""

    def whole(leaf: Any) -> Any:
        if isinstance(leaf, Spread):
            return jax.lax.all_gather(leaf.part, AXIS, axis=leaf.axis, tiled=True)
        return leaf

    return jax.tree.map(whole, weights, is_leaf=_is_spread)


def zero_after(values: Any) -> Array:
    """A zero that the compiler cannot compute before the numbers among `values`, if there are any.

    XLA removes barriers on CPUs. The result is 0 even where `values` are not finite.
    """
    leaves = jax.tree.leaves(values)
    # Gates and indices have no cotangents that could be waited for.
    numbers = [leaf.ravel()[0] for leaf in leaves if jnp.issubdtype(leaf.dtype, jnp.inexact)]
    if not numbers:
        return jnp.zeros(())
    return 0 * jnp.nan_to_num(jax.lax.stop_gradient(jnp.stack(numbers))).sum()


def delayed(weights: Variables, values: Any) -> Variables:
    """The same parts, but none can be gathered before `values`; call it inside of `shard_map`.

    Otherwise the compiler may gather all of them at the beginning, or keep them between two uses.
    """

    def late(leaf: Any) -> Any:
        if isinstance(leaf, Spread):
            return dataclasses.replace(leaf, part=leaf.part + zero.astype(leaf.part.dtype))
        return leaf

    if not any(map(_is_spread, jax.tree.leaves(weights, is_leaf=_is_spread))):
        return weights
    zero = zero_after(values)
    return jax.tree.map(late, weights, is_leaf=_is_spread)


@dataclass(frozen=True)
class Gathering:
    """A layer that gathers all of its spread weights before it runs.

    Prepared layers of `depthjax.models` gather those of one operation at a time instead.
    """

    layer: LayerFn

    def __call__(self, weights: Variables, images: Inputs) -> Embedding:
        """`layer(weights, images)`."""
        return self.layer(gathered(weights), images)


@dataclass(frozen=True)
class SpreadLayer:
    """A layer with its weights spread, as an ordinary function of weights and images.

    Every device computes the whole batch, and all have the result.

    Fields:
        layer: what runs on each device, inside of `shard_map`; it gathers its weights itself.
        mesh: the devices.
    """

    layer: LayerFn
    mesh: Mesh

    @property
    def name(self) -> str:
        """What errors call it."""
        return name_of_layer(self.layer)

    def __call__(self, weights: Variables, images: Inputs) -> Embedding:
        """`layer(weights, images)`."""
        return _on_every_device(self.layer, self.mesh, weights, images)


@partial(jax.jit, static_argnums=(0, 1))
def _on_every_device(layer: LayerFn, mesh: Mesh, weights: Variables, images: Inputs) -> Embedding:
    return on_each(layer, mesh, (specs(weights), WHOLE), WHOLE)(weights, images)


def fits(weights: Variables, free: int | None = None) -> bool:
    """Whether a device has room for all of the weights.

    Args:
        weights: arrays, or their shapes and dtypes.
        free: bytes that may be used; by default what `devices.memory` plans with.
    """
    free = usable_memory() if free is None else free
    return free is None or tree_bytes(weights) <= free


def _along(axis: int) -> PartitionSpec:
    return PartitionSpec(*[None] * axis, AXIS)


def _is_spread(leaf: Any) -> bool:
    return isinstance(leaf, Spread)
