"""Recover images from embeddings by gradient descent on the input.

This is the host's side: starts, shapes, restarts, devices, and calls of the compiled loop in
`descent.py`.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Float, Int
from numpy.typing import ArrayLike

from depthjax.devices.precision import matmul_precision
from depthjax.devices.processes import share, whole
from depthjax.devices.sharding import (
    AXIS,
    Split,
    local_mesh,
    part_of,
    replicate,
    split_batch,
    split_of,
)
from depthjax.devices.spreading import Gathering, fits, specs, spread
from depthjax.inversion.checkpoints import DescentCheckpoints, Kept
from depthjax.inversion.config import InversionConfig
from depthjax.inversion.frames import Frames, frame_steps, frames_of_all, joined_frames, on_screen
from depthjax.inversion.loop import (
    RECORDS_PER_CALL,
    Records,
    State,
    descend,
    initial_state,
    initial_state_on,
    numbers_of,
)
from depthjax.inversion.objectives import base_objective, objective_weight
from depthjax.inversion.priors import draw_start
from depthjax.models.verification import verify_prepared
from depthjax.typing import Embedding, Images, LayerFn, PerExample, Scalar, Variables


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["step", "objective", "embedding_distance", "input_distance"],
    meta_fields=[],
)
@dataclass(frozen=True)
class Trajectory:
    """What was recorded on the way. T records; `…` is `batch` or `restarts batch`.

    The last record is that of the last step, unless every example stopped before it.

    Fields:
        step: `[T]`, the number of updates made before the record.
        objective: `[T, …]`.
        embedding_distance: m_g, `[T, …]`.
        input_distance: m_i, `[T, …]`; NaN where `compare_to` was not given.
    """

    step: Int[np.ndarray, " records"]
    objective: Float[np.ndarray, "records *batch"]
    embedding_distance: Float[np.ndarray, "records *batch"]
    input_distance: Float[np.ndarray, "records *batch"]


@partial(
    jax.tree_util.register_dataclass,
    data_fields=[
        "images", "final_images", "objective", "best_step", "status", "stopped_step", "trajectory",
        "frames"
    ],
    meta_fields=["split"],
)  # fmt: skip
@dataclass(frozen=True)
class Inversion:
    """What `invert` returns; every array begins like `init` (`[B, …]` or `[restarts, B, …]`).

    Fields:
        images: the iterate with the smallest objective; where `stop_distance` was reached, the
            one that reached it.
        final_images: the last iterate.
        objective: the objective of `images`.
        best_step: the step at which `images` was reached.
        status: of `depthjax.inversion.loop`: `RUNNING` (all steps made), `PLATEAU`, `NON_FINITE` or
            `REACHED` (`stop_distance`).
        stopped_step: updates made.
        trajectory: see `Trajectory`.
        split: how images × restarts were shared out over batches and devices.
        frames: iterates on the way, as one sees them; None unless they were asked for.
    """

    images: Array
    final_images: Array
    objective: Array
    best_step: Array
    status: Array
    stopped_step: Array
    trajectory: Trajectory
    split: Split
    frames: Frames | None = None


@dataclass(frozen=True)
class Progress:
    """Where a descent stands, as told to `on_progress` about twice a second.

    Fields:
        step, steps: updates made, and to be made, of all batches.
        embedding_distance: m_g of the last record, one number for each image × restart; NaN for
            those whose batch has not begun, and those of other processes.
    """

    step: int
    steps: int
    embedding_distance: Float[np.ndarray, " n"]


def initial_images(
    key: Array,
    shape: tuple[int, ...],
    config: InversionConfig,
    *,
    others: Array | None = None,
    dtype: Any = jnp.float32,
) -> Float[Array, "*leading height width channels"]:
    """Where the descents start.

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
    starts = [
        draw_start(
            jax.random.fold_in(key, restart),
            config.start[restart % len(config.start)],
            tuple(shape),
            mean=config.start_mean,
            std=config.start_std,
            others=others,
            shift=restart // len(config.start),
            dtype=dtype,
        )
        for restart in range(config.restarts)
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
            If it has a method `prepare(variables) -> (layer, weights)`, the descent runs on those.
        variables: its weights, any pytree.
        target_embedding: `[B, …]`.
        init: `[B, H, W, C]`, or `[restarts, B, H, W, C]` for several descents from each target.
        config: see `InversionConfig`; by default the converging one.
        compare_to: `[B, H, W, C]`; if given, the trajectory records the distance to it. It has no
            part in the descent.
        stop_distance: m_g at which an example stops, `[B]`, `[restarts, B]` or one number for all:
            it keeps the image of the first recorded step at which its embedding is as near.
        max_batch: images × restarts that run at once, over all devices; more are run one batch
            after the other. `depthjax.fitting_batch` says how many fit into memory.
        mesh: of the devices that share a batch between them; by default all of this process. They
            need not divide it: the last example is then there twice, and reported once. With
            several processes (`devices.processes`) each does a share and all get the whole.
        spread_weights: whether each device holds a part of the weights instead of all of them
            (`devices.spreading`): slower, since they then pass between the devices at every step.
            By default only where one device has no room for them.
        checkpoints: where states are kept, and gone on from if there are any: the result is that
            of a descent that was never cut off, its frames included.
        frames: how many iterates to keep on the way, from the start to the end (see
            `depthjax.inversion.frames`); they change no number. 0 keeps none.
        on_progress: called about twice a second, on the host, between calls of the loop.

    Returns:
        An `Inversion`. An example whose objective or update is not finite keeps its last finite
        iterate and has status `NON_FINITE`; the others go on.

    Raises:
        ValueError: if the shapes do not belong together, if `max_batch` is no positive number, or
            `frames` is 1 or negative, or the checkpoints are of other descents.
    """
    config = config or InversionConfig()
    marks = frame_steps(config, frames)
    if max_batch is not None and max_batch < 1:
        raise ValueError(f"max_batch must be at least 1, got {max_batch}; None runs all at once")
    leading, start, target = _merge_restarts(layer, variables, target_embedding, init)
    reference = None if compare_to is None else _repeat(jnp.asarray(compare_to), leading, "images")
    if reference is not None and reference.shape != start.shape:
        raise ValueError(
            f"init is of images {start.shape[1:]} but compare_to of images {reference.shape[1:]}"
        )
    near_enough = _near_enough(stop_distance, leading, start.dtype)
    mesh = mesh or local_mesh()
    if spread_weights is None:
        spread_weights = mesh.size > 1 and not fits(_weights_of(layer, variables))
    fast, weights = prepared(layer, variables, config, spread=spread_weights)
    if hasattr(layer, "prepare"):
        verify_prepared(layer, variables, fast, weights, start)
    layer, variables = fast, weights
    mine = share(len(start))
    latest = np.full(len(start), np.nan)

    def watch(step: int, steps: int, examples: np.ndarray, distances: np.ndarray) -> None:
        if on_progress is not None:
            latest[mine[examples]] = distances
            on_progress(Progress(step, steps, latest.copy()))

    given: tuple[Array | None, ...] = (target, start, reference, near_enough)
    if jax.process_count() > 1:
        given = tuple(None if array is None else array[mine] for array in given)
    found = _descents(
        layer,
        variables,
        given,
        config,
        mesh,
        max_batch,
        checkpoints,
        None if on_progress is None else watch,
        marks,
        spread_weights,
    )
    if checkpoints is not None:
        checkpoints.close()
    return _shaped(_of_all(found, config, marks, len(start)), leading)


def _descents(
    layer: LayerFn,
    variables: Variables,
    given: tuple[Any, ...],
    config: InversionConfig,
    mesh: Mesh,
    max_batch: int | None,
    checkpoints: DescentCheckpoints | None,
    watch: Callable[[int, int, np.ndarray, np.ndarray], None] | None,
    marks: list[int],
    spread_weights: bool,
) -> Inversion:
    """The descents of this process, one batch after the other; B is images × restarts."""
    target, start, _, near_enough = given
    split = split_of(len(start), mesh.size, max_batch)
    if checkpoints is not None:
        defining = (start, target, near_enough, np.array(marks, np.int32))
        split = checkpoints.begin(config, defining, split, mesh.size)
    groups = _groups(len(start), split)
    shared = part_of(mesh, split.devices) if split.devices > 1 else None
    if shared is not None:
        place = spread if spread_weights else replicate
        variables = place(variables, shared)
    parts = []
    for index, group in enumerate(groups):

        def report(step: int, distances: np.ndarray, index: int = index) -> None:
            if watch is not None:
                done = (index * config.steps + step, len(groups) * config.steps)
                watch(*done, groups[index], distances)

        batch = _Batch(index, split, shared, *_part(given, group, shared))
        parts.append(
            _run(
                layer,
                variables,
                batch,
                config,
                checkpoints,
                report,
                watched=watch is not None,
                marks=marks,
            )
        )
    return _joined(parts, groups)


def _of_all(found: Inversion, config: InversionConfig, marks: list[int], count: int) -> Inversion:
    """What all processes found; each has done its share."""
    if jax.process_count() == 1:
        return found
    trajectory = found.trajectory
    # Where one process stopped early, its last record is as good as all that would follow.
    missing = config.steps // config.record_every + 2 - len(trajectory.step)
    rows = {
        name: np.pad(getattr(trajectory, name), ((0, missing), (0, 0)), mode="edge")
        for name in _ROWS
    }
    arrays = whole({name: getattr(found, name) for name in _ARRAYS}, count)
    rows = whole(rows, count, axis=1)
    steps = np.pad(trajectory.step, (0, missing), constant_values=-1)
    steps = whole(steps[:, None], jax.process_count(), axis=1)
    longest = steps[:, np.argmax((steps >= 0).sum(0))]
    recorded = int((longest >= 0).sum())
    return Inversion(
        **jax.tree.map(jnp.asarray, arrays),
        trajectory=Trajectory(
            longest[:recorded], **{name: row[:recorded] for name, row in rows.items()}
        ),
        split=found.split,
        frames=found.frames and frames_of_all(found.frames, len(marks) + 1, count),
    )


class _Batch(NamedTuple):
    """Examples that run at once, on one device or laid out over several."""

    number: int
    split: Split
    mesh: Mesh | None
    target: Embedding
    start: Images
    reference: Images | None
    stop_distance: PerExample


def _part(arrays: Iterable[Any], group: np.ndarray, mesh: Mesh | None) -> Iterator[Any]:
    """The examples of a batch, on their devices; None stays None."""
    for array in arrays:
        yield None if array is None else _placed(array[group], mesh)


def _placed(array: Array, mesh: Mesh | None) -> Array:
    return array if mesh is None else jax.device_put(array, split_batch(mesh))


def prepared(
    layer: LayerFn, variables: Variables, config: InversionConfig, *, spread: bool = False
) -> tuple[LayerFn, Variables]:
    """What the loop runs on: the layer's own fast form, where it has one.

    Args:
        layer, variables: as in `invert`.
        config: whether to rematerialise.
        spread: whether the weights will lie in parts; then they are prepared in the host's memory.
    """
    if not hasattr(layer, "prepare"):
        return (Gathering(layer) if spread else layer), variables
    # What is computed again asks for its weights again, and need not keep them. Gauss–Newton makes
    # many products with one linearisation, which keeps all that they take.
    again = (config.rematerialize or spread) and config.optimizer != "gauss_newton"
    settings = {"rematerialize": True} if again else {}
    if not spread:
        return layer.prepare(variables, **settings)
    with jax.default_device(jax.local_devices(backend="cpu")[0]):
        return layer.prepare(jax.device_get(variables), **settings)


def _weights_of(layer: LayerFn, variables: Variables) -> Any:
    """Shapes and dtypes of what the loop would run on."""
    if not hasattr(layer, "prepare"):
        return variables
    return jax.eval_shape(lambda variables: layer.prepare(variables)[1], variables)


def _groups(count: int, split: Split) -> list[np.ndarray]:
    """Indices of batches of one size; the last begins again with the first where they run out."""
    return list(np.resize(np.arange(count), (split.batches, split.batch)))


def _run(
    layer: LayerFn,
    variables: Variables,
    batch: _Batch,
    config: InversionConfig,
    checkpoints: DescentCheckpoints | None,
    report: Callable[[int, np.ndarray], None],
    *,
    watched: bool,
    marks: list[int],
) -> Inversion:
    """One batch, from its start, or where it was cut off, to its end."""
    mesh, start = batch.mesh, batch.start
    scale = _placed(jnp.ones(start.shape[0], start.dtype), mesh)
    if config.step_scale == "layer":
        scale = _step_scale_on(mesh, layer, config.objective)(
            variables, start, batch.target, jnp.asarray(config.objective_scale, start.dtype)
        ).astype(start.dtype)
    numbers = numbers_of(config, start.dtype)
    initial = initial_state if mesh is None else initial_state_on(mesh)
    state = initial(config.structure, start, batch.stop_distance)
    records: list[Records] = []
    kept = None
    if checkpoints is not None:
        kept = checkpoints.resume(batch.number, config, state, len(marks))
    seen = [on_screen(start)] if marks else []
    if kept is not None:
        state, records, seen = kept.state, [kept.records], list(kept.frames)
    advance = partial(
        descend(mesh),
        *(layer, config.structure, variables, batch.target, batch.reference, scale, numbers),
    )
    paced = watched or checkpoints is not None
    last = records[-1] if records else None
    pace = _Pace(config, _step(state), marks, watched=paced)
    for stop in pace if not (kept and kept.finished) else ():
        state, rows, counts, running = advance(state, jnp.asarray(stop))
        rows, counts, running = jax.device_get((rows, counts, running))
        filled = _filled(last, Records(*rows), counts, batch.split)
        records.append(filled)
        if len(filled.step):
            last = filled
            report(min(_step(state), config.steps), np.asarray(filled.embedding_distance[-1]))
        finished = not np.any(running)
        if stop in marks and not finished:
            seen.append(on_screen(state.images))
        if checkpoints is not None:
            kept = Kept(state, _concatenated(records), seen, finished)
            at_once = finished and batch.split.batches > 1
            checkpoints.keep(batch.number, config, kept, len(marks), at_once=at_once)
        if finished:
            break
    if mesh is not None:  # what is done with them next is done on one device
        state = jax.tree.map(jnp.asarray, jax.device_get(state))
    trajectory = Trajectory(*_concatenated(records))
    ended = int(trajectory.step[-1])
    return Inversion(
        images=state.best_images,
        final_images=state.images,
        objective=state.best_objective,
        best_step=state.best_step,
        status=state.status,
        stopped_step=state.stopped_step,
        trajectory=trajectory,
        split=batch.split,
        frames=Frames.ending(marks, seen, ended, state.images) if marks else None,
    )


def _step(state: State) -> int:
    return int(np.max(jax.device_get(state.step)))


def _concatenated(records: list[Records]) -> Records:
    return Records(*(np.concatenate(column) for column in zip(*records, strict=True)))


def _filled(last: Records | None, rows: Records, counts: np.ndarray, split: Split) -> Records:
    """The rows that a call filled; where a device's examples had all stopped, its last row again.

    Args:
        last: rows so far, if any; in the first call every device fills one at least.
        rows: with room for more than were filled.
        counts: how many each device filled, or one number for the only one.
        split: of the examples over the devices.
    """
    counts = np.atleast_1d(counts)
    longest = int(counts.max())
    # [rows, examples]: which of its own rows an example has there; -1 is the last one before.
    index = np.minimum(np.arange(longest)[:, None], np.repeat(counts, split.per_device) - 1)

    def filled(name: str) -> np.ndarray:
        new = np.take_along_axis(getattr(rows, name), np.maximum(index, 0), axis=0)
        return new if last is None else np.where(index < 0, getattr(last, name)[-1:], new)

    steps = np.reshape(rows.step, (len(counts), -1))[np.argmax(counts), :longest]
    return Records(steps, *map(filled, _ROWS))


_ARRAYS = ("images", "final_images", "objective", "best_step", "status", "stopped_step")
_ROWS = ("objective", "embedding_distance", "input_distance")


def _joined(parts: list[Inversion], groups: list[np.ndarray]) -> Inversion:
    """All batches as one, each example once."""
    if len(parts) == 1 and len(np.unique(groups[0])) == len(groups[0]):
        return parts[0]
    _, once = np.unique(np.concatenate(groups), return_index=True)
    trajectories = [part.trajectory for part in parts]
    steps = max((trajectory.step for trajectory in trajectories), key=len)

    def rows(name: str) -> np.ndarray:
        # An example that has stopped stays where it was last seen.
        columns = [getattr(trajectory, name) for trajectory in trajectories]
        missing = [((0, len(steps) - len(column)), (0, 0)) for column in columns]
        return np.hstack(list(map(partial(np.pad, mode="edge"), columns, missing)))[:, once]

    return Inversion(
        **{name: jnp.concatenate([getattr(p, name) for p in parts])[once] for name in _ARRAYS},
        trajectory=Trajectory(step=steps, **{name: rows(name) for name in _ROWS}),
        split=parts[0].split,
        frames=joined_frames([part.frames for part in parts], once),
    )


def _shaped(found: Inversion, leading: tuple[int, ...]) -> Inversion:
    """The batch axis as `batch` or `restarts batch`."""
    arrays = {name: getattr(found, name) for name in _ARRAYS}
    rows = {name: getattr(found.trajectory, name) for name in _ROWS}
    return Inversion(
        **{name: array.reshape(*leading, *array.shape[1:]) for name, array in arrays.items()},
        trajectory=Trajectory(
            step=found.trajectory.step,
            **{name: array.reshape(len(array), *leading) for name, array in rows.items()},
        ),
        split=found.split,
        frames=found.frames and found.frames.shaped(leading),
    )


@partial(jax.jit, static_argnums=0, static_argnames="objective")
def step_scale(
    layer: LayerFn,
    variables: Variables,
    start: Images,
    target_embedding: Embedding,
    *,
    objective: str = "squared_l2",
    objective_scale: Scalar = 1.0,
) -> PerExample:
    """The step along the first gradient that makes the linearised residual smallest.

    With `g = ∇ objective` and `r = O(a_0) − target`, the step `α = ⟨r, J g⟩ / ‖J g‖²` minimises
    `‖r − α J g‖`. It costs one gradient and one Jacobian product, and sees the start and the
    target's embedding alone, never the target image.

    Args:
        layer, variables: as in `invert`.
        start: `[B, H, W, C]`.
        target_embedding: `[B, …]`.
        objective, objective_scale: as in `InversionConfig`.

    Returns:
        `[B]`, positive; 1 where the gradient has no effect on the embedding.
    """
    with matmul_precision():
        weight = objective_weight(
            objective, target_embedding, jnp.asarray(objective_scale, start.dtype)
        )
        embedding, pullback = jax.vjp(partial(layer, variables), start)
        residual = embedding - target_embedding
        (cotangent,) = jax.vjp(partial(base_objective, objective), residual)[1](weight)
        (gradient,) = pullback(cotangent)
        forward = getattr(layer, "pushable", layer)
        _, change = jax.jvp(partial(forward, variables), (start,), (gradient,))
    features = tuple(range(1, change.ndim))
    along = (residual * change).sum(features)
    square = jnp.square(change).sum(features)
    usable = (along > 0) & (square > 0) & jnp.isfinite(along) & jnp.isfinite(square)
    return jnp.where(usable, along / jnp.where(usable, square, 1), 1)


@cache
def _step_scale_on(mesh: Mesh | None, layer: LayerFn, objective: str) -> Any:
    """`step_scale` as a function of arrays alone, by every device for its share."""

    def scale(variables: Variables, start: Images, target: Embedding, c: Array) -> PerExample:
        return step_scale(layer, variables, start, target, objective=objective, objective_scale=c)

    if mesh is None:
        return scale

    def on_mesh(variables: Variables, *arrays: Array) -> PerExample:
        whole, shared = PartitionSpec(), PartitionSpec(AXIS)
        lies = (specs(variables), shared, shared, whole)
        share = jax.shard_map(scale, mesh=mesh, in_specs=lies, out_specs=shared, check_vma=False)
        return share(variables, *arrays)

    return jax.jit(on_mesh)


class _Pace:
    """Steps to stop at, without end: as far as the records reach, or half a second if watched.

    And at every one of `marks`, ascending, that is still ahead.
    """

    def __init__(
        self, config: InversionConfig, first: int, marks: list[int], *, watched: bool
    ) -> None:
        self.watched, self.first, self.end = watched, first, config.steps + 1
        self.room = RECORDS_PER_CALL * config.record_every
        self.marks = marks

    def __iter__(self) -> Any:
        step, length = self.first, 1 if self.watched else self.room
        while True:
            began, first = time.perf_counter(), step
            mark = next((mark for mark in self.marks if mark > first), self.end)
            step = min(first + length, mark, self.end)
            yield step
            if self.watched:
                # The first calls compile; doubling at most keeps one slow call from misleading.
                seconds = max(time.perf_counter() - began, 1e-6)
                fitting = int((step - first) * 0.5 / seconds)
                length = max(1, min(2 * length, fitting, self.room))


def _merge_restarts(
    layer: LayerFn, variables: Variables, target: Embedding, init: Array
) -> tuple[tuple[int, ...], Array, Array]:
    """`[R, B, …]` -> `[R·B, …]`: restarts are more examples, and share one batch."""
    init, target = jnp.array(init), jnp.asarray(target)  # a copy: the state is donated
    if init.ndim not in (4, 5) or not jnp.issubdtype(init.dtype, jnp.floating):
        raise ValueError(
            f"init must be floats [batch, height, width, channels], or with restarts before the"
            f" batch, got {init.dtype} {init.shape}"
        )
    leading = init.shape[:-3]
    if target.ndim < 1 or target.shape[0] != leading[-1]:
        raise ValueError(
            f"init is for {leading[-1]} images but the target embedding has shape {target.shape}"
        )
    start = init.reshape(-1, *init.shape[-3:])
    repeated = _repeat(target, leading, "target embeddings")
    expected = jax.eval_shape(layer, variables, start)
    if expected.shape != repeated.shape:
        raise ValueError(
            f"the layer makes embeddings {expected.shape[1:]} of images {start.shape[1:]}, but the"
            f" target embedding is {target.shape[1:]}; use images of the size it was made from"
        )
    return leading, start, repeated


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
    return jnp.asarray(np.broadcast_to(given, leading).reshape(-1))


def _repeat(array: Array, leading: tuple[int, ...], what: str) -> Array:
    if array.shape[0] != leading[-1]:
        raise ValueError(f"{leading[-1]} images to recover, but {array.shape[0]} {what}")
    return jnp.tile(array, (leading[0], *[1] * (array.ndim - 1))) if len(leading) == 2 else array
