"""How many images a descent can hold at once on this machine."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from depthjax.devices.memory import gigabytes, total_bytes, usable_memory
from depthjax.devices.sharding import BY_EXAMPLE, WHOLE, local_mesh
from depthjax.errors import name_of_layer
from depthjax.inversion.config import InversionConfig, as_config
from depthjax.inversion.loop import descend
from depthjax.inversion.preparing import Prepared, must_spread, place_weights, prepared_shapes
from depthjax.inversion.problem import Data, numbers_of
from depthjax.inversion.state import initial_state
from depthjax.models.embeddings import embedding_shape
from depthjax.typing import LayerFn, Variables


class Fit(NamedTuple):
    """How a descent of many images is split.

    Fields:
        batch: images × restarts at once, on one device.
        batches: how often.
        needed: bytes that one batch takes at most.
        free: bytes that the device has for it, or None if it does not say.
    """

    batch: int
    batches: int
    needed: int
    free: int | None

    def __str__(self) -> str:
        free = "an unknown amount" if self.free is None else gigabytes(self.free)
        return (
            f"{self.batch} at once in {self.batches} batch{'es' if self.batches > 1 else ''},"
            f" {gigabytes(self.needed)} each of {free} free"
        )


def fitting_batch(
    layer: LayerFn,
    variables: Variables,
    image_shape: tuple[int, ...],
    count: int,
    config: InversionConfig | None = None,
    *,
    free: int | None = None,
    mesh: Mesh | None = None,
    spread_weights: bool | None = None,
) -> Fit:
    """The largest batch of a descent that fits into memory; all batches have the same size.

    Where twice the bytes of everything that the loop ever computes would fit, `count` images do.
    Otherwise the loop is compiled, and the compiler says what it takes, weights included. Where
    `count` images do not fit, it is compiled for one image too, and memory is taken to be linear
    in the number of images between the two.

    Args:
        layer, variables, config: as in `depthjax.invert`.
        image_shape: `(H, W, C)`, of float32 images; of float64 twice as much is needed.
        count: images × restarts on one device.
        free: bytes that may be used; by default `SHARE` of what the device has free.
        mesh, spread_weights: as in `depthjax.invert`. Where the weights do not fit on one device of
            several, each holds a part of them.

    Raises:
        ValueError: if not even one image fits.
    """
    config = as_config(config)
    free = usable_memory() if free is None else free
    mesh = mesh or local_mesh()
    if spread_weights is None:
        spread_weights = must_spread(layer, variables, config, mesh, free)
    images = jax.ShapeDtypeStruct((count, *image_shape), jnp.float32)
    prepared = prepared_shapes(layer, variables, config, images, spread=spread_weights)
    embed = partial(embedding_shape, layer, variables)
    trace = partial(_traced, prepared, embed, image_shape, config, mesh if spread_weights else None)
    bound = total_bytes(trace(count).jaxpr.jaxpr)
    if free is None or 2 * bound <= free:
        return Fit(count, 1, bound, free)
    all_at_once = program_memory(trace(count))
    if all_at_once <= free:
        return Fit(count, 1, all_at_once, free)
    one = program_memory(trace(1))
    if one > free:
        raise ValueError(
            f"one image of {image_shape[0]}×{image_shape[1]} at layer {name_of_layer(layer)!r}"
            f" takes {gigabytes(one)}, but {gigabytes(free)} are free: use smaller images, an"
            " earlier layer, or rematerialize"
        )
    each = max(1.0, (all_at_once - one) / max(1, count - 1))
    most = max(1, min(count, 1 + int((free - one) / each)))
    batches = -(-count // most)
    batch = -(-count // batches)
    return Fit(batch, batches, int(one + (batch - 1) * each), free)


def largest_batch(
    layer: LayerFn,
    variables: Variables,
    shape: tuple[int, ...],
    config: InversionConfig | None = None,
    *,
    mesh: Mesh | None = None,
    spread_weights: bool | None = None,
) -> tuple[int, Fit]:
    """How many images × restarts can run at once over all devices: `max_batch` of `invert`.

    Args:
        layer, variables, config, mesh, spread_weights: as in `depthjax.invert`.
        shape: `[B, H, W, C]` of the images.

    Returns:
        The number, and how the descents of one device fit into its memory.

    Raises:
        ValueError: if not even one image fits.
    """
    config, mesh = as_config(config), mesh or local_mesh()
    count = shape[0] * config.restarts
    each = -(-count // mesh.size)
    where: dict[str, Any] = {"mesh": mesh, "spread_weights": spread_weights}
    fit = fitting_batch(layer, variables, shape[1:], each, config, **where)
    return min(count, fit.batch * mesh.size), fit


def program_memory(traced: Any) -> int:
    """Bytes that a program takes on one device: all arguments and buffers. It is not run."""
    return compiled_memory(traced.lower().compile())


def compiled_memory(compiled: Any) -> int:
    """Bytes that a compiled program takes on one device: all arguments and buffers."""
    used = compiled.memory_analysis()
    both_ways = used.argument_size_in_bytes + used.output_size_in_bytes - used.alias_size_in_bytes
    return int(both_ways + used.temp_size_in_bytes)


def _traced(
    prepared: Prepared,
    embed: Any,
    image_shape: tuple[int, ...],
    config: InversionConfig,
    mesh: Mesh | None,
    count: int,
) -> Any:
    """The loop with `count` examples on each device; the descent itself finds the trace again.

    Args:
        prepared: with shapes for weights.
        embed: the shape of images -> that of their embedding.
        image_shape: `(H, W, C)`.
        config: of the descent.
        mesh: the devices that hold parts of the weights; None where one device holds them all.
        count: of examples.
    """

    def shape_of(value: Any, spec: PartitionSpec) -> Any:
        sharding = None if mesh is None else NamedSharding(mesh, spec)
        return jax.ShapeDtypeStruct(value.shape, value.dtype, sharding=sharding)

    by_example, whole = partial(shape_of, spec=BY_EXAMPLE), partial(shape_of, spec=WHOLE)
    devices = 1 if mesh is None else mesh.size
    start = jax.ShapeDtypeStruct((count * devices, *image_shape), jnp.float32)
    per_example = by_example(jax.ShapeDtypeStruct(start.shape[:1], start.dtype))
    target, start = by_example(embed(start)), by_example(start)
    numbers = jax.tree.map(whole, jax.eval_shape(lambda: numbers_of(config, start.dtype)))
    begin = partial(initial_state, config.structure, mesh=mesh)
    state = jax.eval_shape(begin, start, per_example)
    return descend(mesh, start.dtype).trace(
        prepared.layer,
        config.structure,
        place_weights(prepared.weights, mesh, in_parts=True),
        Data(target, start, per_example, numbers),
        jax.tree.map(by_example, state),
        whole(jax.ShapeDtypeStruct((), jnp.int32)),
    )
