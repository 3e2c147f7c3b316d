"""Recover images from embeddings by gradient descent on the input: check, plan, run, gather."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from depthjax.devices.precision import widened
from depthjax.devices.processes import my_share
from depthjax.devices.sharding import is_default, local_mesh, part_of, split_of
from depthjax.inversion.batches import Examples, run_batch
from depthjax.inversion.checking import check_functions
from depthjax.inversion.checkpoints import DescentCheckpoints
from depthjax.inversion.config import InversionConfig, as_config
from depthjax.inversion.frames import frame_steps
from depthjax.inversion.parts import parts_of
from depthjax.inversion.plan import Plan
from depthjax.inversion.preparing import Prepared, must_spread, place_weights, prepare_for_descent
from depthjax.inversion.results import (
    Inversion,
    Progress,
    gather_processes,
    join_batches,
    reshape_examples,
)
from depthjax.inversion.starts import draw_start
from depthjax.models.embeddings import embedding_shape
from depthjax.models.fast import verified
from depthjax.typing import Embedding, Images, LayerFn, PerExample, Variables


def initial_images(
    key: Array,
    shape: tuple[int, ...],
    config: InversionConfig,
    *,
    others: Array | None = None,
    dtype: Any = jnp.float32,
) -> Float[Array, "*leading height width channels"]:
    """The images a_0 where the descents of a config start.

    Args:
        key: a `jax.random.key`; restart r uses `fold_in(key, r)`.
        shape: `[B, H, W, C]` of the images to recover.
        config: `start`, `start_mean`, `start_std`, `restarts`; kinds take turns over restarts.
        others: images for starts of kind "image", `[K, H, W, C]`, K ≥ 2.
        dtype: of the result.

    Returns:
        `[B, H, W, C]`, or `[restarts, B, H, W, C]` if there are several; not clipped.

    Raises:
        ValueError: if a start of kind "image" has no other image.
    """
    kinds = [config.start[restart % len(config.start)] for restart in range(config.restarts)]
    starts = [
        draw_start(
            jax.random.fold_in(key, restart),
            kind,
            tuple(shape),
            mean=config.start_mean,
            std=config.start_std,
            others=others,
            shift=kinds[:restart].count(kind),  # each time from another image
            dtype=dtype,
        )
        for restart, kind in enumerate(kinds)
    ]
    return starts[0] if config.restarts == 1 else jnp.stack(starts)


def invert(
    layer: LayerFn,
    variables: Variables,
    target_embedding: Embedding,
    init: Float[Array, "*leading height width channels"],
    config: InversionConfig | None = None,
    *,
    compare_to: Images | None = None,
    stop_distance: ArrayLike | float | None = None,
    max_batch: int | None = None,
    mesh: Mesh | None = None,
    spread_weights: bool | None = None,
    checkpoints: DescentCheckpoints | None = None,
    frames: int = 0,
    on_progress: Callable[[Progress], None] | None = None,
) -> Inversion:
    """Images whose embedding is near the target's, by gradient descent from `init`.

    `a_{n+1} = blur(a_n − λ_n · optimiser(∇ objective(O(a_n) − target)))`, the paper's section on
    input generation. Only embeddings go in: the image that made the target is never seen.

    Args:
        layer: a pure function `(variables, images [B, H, W, C]) -> embedding [B, …]`; hashable.
            If it has a method `prepare(variables) -> (layer, weights)`, the descent runs on those;
            of a plain function it replaces the convolutions on CPUs (`depthjax.models.fast`).
        variables: its weights, any pytree.
        target_embedding: `[B, …]`.
        init: `[B, H, W, C]`, or `[restarts, B, H, W, C]` for several descents from each target.
        config: see `InversionConfig`; by default the converging one.
        compare_to: `[B, H, W, C]`; if given, the trajectory records the distance to it. It has no
            part in the descent.
        stop_distance: m_g at which an example stops, `[B]`, `[restarts, B]` or one number for all:
            it keeps the image of the first recorded step at which its embedding is as near.
        max_batch: images × restarts that run at once, over all devices; more are run one batch
            after the other. `depthjax.inversion.memory.largest_batch` says how many fit.
        mesh: of the devices that share a batch between them; by default all of this process. They
            need not divide it: the last example is then there twice, and reported once. With
            several processes (`devices.processes`) each does a share and all get all results.
        spread_weights: whether each device holds a part of the weights instead of all of them
            (`devices.spreading`): slower, since they then pass between the devices at every step.
            By default only where one device has no room for them.
        checkpoints: where states are kept. If there are any, the descent goes on from them: the
            result is that of a descent that was never cut off, its frames included.
        frames: how many iterates to keep on the way, from the start to the end (see
            `depthjax.inversion.frames`); they change no number. 0 keeps none.
        on_progress: called about twice a second, on the host, between calls of the loop.

    Returns:
        An `Inversion`. An example whose objective or update is not finite keeps its last finite
        iterate and has status `NON_FINITE`; the others go on.

    Raises:
        ValueError: if the shapes do not belong together, if no target is finite, if a function
            in the config gives no number for each example, or mixes them; if `max_batch` is no
            positive number, or `frames` is 1 or negative, or the checkpoints are of other descents.
    """
    config = as_config(config)
    marks = frame_steps(config, frames)
    if max_batch is not None and max_batch < 1:
        raise ValueError(f"max_batch must be at least 1, got {max_batch}; None runs all at once")
    leading, examples = _checked_examples(
        layer, variables, target_embedding, init, compare_to, stop_distance
    )

    mesh = mesh or local_mesh()
    if spread_weights is None:
        spread_weights = must_spread(layer, variables, config, mesh)
    prepared = prepare_for_descent(layer, variables, config, examples.start, spread=spread_weights)
    prepared = Prepared(*verified(layer, variables, *prepared, examples.start))
    check_functions(config, examples.target, examples.start, parts_of(prepared.layer))
    count = len(examples.start)
    if jax.process_count() > 1:
        examples = examples.at(my_share(count))
    split = split_of(len(examples.start), mesh.size, max_batch, all_devices=spread_weights)
    if checkpoints is not None:
        target, start, _, near_enough = examples
        defining = (start, target, near_enough, np.array(marks, np.int32))
        split = checkpoints.begin(config, defining, split, mesh.size)
    devices = part_of(mesh, split.devices)
    plan = Plan(
        config=config,
        count=count,
        mesh=None if is_default(devices) else devices,
        split=split,
        marks=tuple(marks),
        checkpoints=checkpoints,
        on_progress=on_progress,
        latest=np.full(count, np.nan),
    )

    weights = place_weights(prepared.weights, plan.mesh, in_parts=spread_weights)
    prepared = prepared._replace(weights=weights)
    parts = [
        run_batch(prepared, examples.at(group), number, plan)
        for number, group in enumerate(plan.groups)
    ]

    mine = join_batches(parts, plan.groups)
    return reshape_examples(gather_processes(mine, count), leading)


def _checked_examples(
    layer: LayerFn,
    variables: Variables,
    target: Array,
    init: Array,
    compare_to: Array | None,
    stop_distance: ArrayLike | float | None,
) -> tuple[tuple[int, ...], Examples]:
    """What `invert` is given, restarts as more examples: they share one batch.

    Returns:
        The leading axes of `init`, `[B]` or `[R, B]`, and arrays that begin `[R·B]`.
    """
    init, target = jnp.array(init), jnp.asarray(target)  # a copy: the state is donated
    if init.ndim not in (4, 5) or not jnp.issubdtype(init.dtype, jnp.floating):
        raise ValueError(
            f"init must be floats [batch, height, width, channels], or with restarts before the"
            f" batch, got {init.dtype} {init.shape}"
        )
    init = widened(init)
    leading = init.shape[:-3]
    if 0 in leading:
        raise ValueError(f"there are no images to recover: init has the shape {init.shape}")
    if target.ndim < 1 or target.shape[0] != leading[-1]:
        raise ValueError(
            f"init is for {leading[-1]} images but the target embedding has shape {target.shape}"
        )
    # One of them alone ends by itself, with the status `NON_FINITE`.
    finite = np.isfinite(target).reshape(len(target), -1).all(1)
    if not finite.any():
        raise ValueError(
            "all target embeddings hold NaN or infinite numbers, which those of no image do; check"
            " what they were made from"
        )
    start = init.reshape(-1, *init.shape[-3:])
    target = _repeated(target, leading)
    expected = embedding_shape(layer, variables, start)
    if expected.shape != target.shape:
        raise ValueError(
            f"the layer makes embeddings {expected.shape[1:]} of images {start.shape[1:]}, but the"
            f" target embedding is {target.shape[1:]}; use images of the size it was made from"
        )
    reference = None if compare_to is None else jnp.asarray(compare_to, start.dtype)
    if reference is not None:
        if len(reference) != leading[-1]:
            raise ValueError(f"{leading[-1]} images to recover, but {len(reference)} images")
        if reference.shape[1:] != start.shape[1:]:
            raise ValueError(
                f"init is of images {start.shape[1:]} but compare_to of images"
                f" {reference.shape[1:]}"
            )
        reference = _repeated(reference, leading)
    near_enough = _near_enough(stop_distance, leading, start.dtype)
    return leading, Examples(target, start, reference, near_enough)


def _repeated(array: Array, leading: tuple[int, ...]) -> Array:
    """`[B, …]` for every restart: `[R·B, …]`."""
    return jnp.tile(array, (leading[0], *[1] * (array.ndim - 1))) if len(leading) == 2 else array


def _near_enough(
    stop_distance: ArrayLike | float | None, leading: tuple[int, ...], dtype: Any
) -> PerExample:
    """One number for each image × restart; no distance is below minus infinity."""
    given = np.asarray(-np.inf if stop_distance is None else stop_distance, dtype)
    if given.shape not in ((), leading[-1:], leading):
        raise ValueError(
            f"stop_distance is of shape {given.shape}, but there are {leading[-1]} images"
            + (f" × {leading[0]} restarts" if len(leading) == 2 else "")
            + "; give one number, or one for each"
        )
    return jax.device_put(np.broadcast_to(given, leading).reshape(-1))
