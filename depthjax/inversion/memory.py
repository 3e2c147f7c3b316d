"""How many images a descent can hold at once on this machine."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from depthjax.devices.memory import gigabytes, total_bytes, usable_memory
from depthjax.inversion.config import InversionConfig
from depthjax.inversion.invert import prepared
from depthjax.inversion.loop import descend, initial_state, numbers_of
from depthjax.typing import LayerFn, Variables


class Fit(NamedTuple):
    """How a descent of many images is split.

    Fields:
        batch: images × restarts at once.
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
) -> Fit:
    """The largest batch of a descent that fits into memory, all batches of one size.

    If twice all that the loop ever computes would fit beside each other, nothing need be asked.
    Otherwise the compiler says what the whole loop takes, weights included; where `count` images do
    not fit, it is asked about one, and between the two the memory is taken to be linear in the
    batch.

    Args:
        layer, variables, config: as in `depthjax.invert`.
        image_shape: `(H, W, C)`.
        count: images × restarts, on one device.
        free: bytes that may be used; by default `SHARE` of what the device has free.

    Raises:
        ValueError: if not even one image fits.
    """
    config = config or InversionConfig()
    layer, variables = _prepared_shapes(layer, variables, config)
    free = usable_memory() if free is None else free
    bound = total_bytes(_traced(layer, variables, image_shape, config, count).jaxpr.jaxpr)
    if free is None or 2 * bound <= free:
        return Fit(count, 1, bound, free)
    needed = partial(descent_memory, layer, variables, image_shape, config)
    whole = needed(count)
    if whole <= free:
        return Fit(count, 1, whole, free)
    one = needed(1)
    if one > free:
        name = getattr(layer, "node", None) or getattr(layer, "__name__", layer)
        raise ValueError(
            f"one image of {image_shape[0]}×{image_shape[1]} at layer {name!r} takes"
            f" {gigabytes(one)}, but {gigabytes(free)} are free: use smaller images, an earlier"
            " layer, or rematerialize"
        )
    each = max(1.0, (whole - one) / max(1, count - 1))
    most = max(1, min(count, 1 + int((free - one) / each)))
    batches = -(-count // most)
    batch = -(-count // batches)
    return Fit(batch, batches, int(one + (batch - 1) * each), free)


def _prepared_shapes(
    layer: LayerFn, variables: Variables, config: InversionConfig
) -> tuple[LayerFn, Variables]:
    """What the loop runs on, with shapes for weights: nothing is computed."""
    layers: list[LayerFn] = []

    def prepare(variables: Variables) -> Variables:
        fast, weights = prepared(layer, variables, config)
        layers.append(fast)
        return weights

    weights = jax.eval_shape(prepare, variables)
    return layers[0], weights


def descent_memory(
    layer: LayerFn,
    variables: Variables,
    image_shape: tuple[int, ...],
    config: InversionConfig,
    count: int,
) -> int:
    """Bytes that the compiled loop takes with a batch of `count`: all arguments and buffers.

    The program is compiled and not run; `layer` is taken as it is, not prepared.
    """
    used = _traced(layer, variables, image_shape, config, count).lower().compile().memory_analysis()
    both_ways = used.argument_size_in_bytes + used.output_size_in_bytes - used.alias_size_in_bytes
    return int(both_ways + used.temp_size_in_bytes)


def _traced(
    layer: LayerFn,
    variables: Variables,
    image_shape: tuple[int, ...],
    config: InversionConfig,
    count: int,
) -> Any:
    """The loop with a batch of `count`; the descent itself finds the trace again."""
    start = jax.ShapeDtypeStruct((count, *image_shape), jnp.float32)
    target = jax.eval_shape(layer, variables, start)
    scale = jax.ShapeDtypeStruct((count,), start.dtype)
    state: Any = jax.eval_shape(partial(initial_state, config.structure), start)
    return descend().trace(
        layer,
        config.structure,
        variables,
        target,
        start,
        scale,
        jax.eval_shape(lambda: numbers_of(config, start.dtype)),
        state,
        jax.ShapeDtypeStruct((), jnp.int32),
    )
