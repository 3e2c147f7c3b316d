"""Recover images from embeddings by gradient descent on the input.

This is the host's side: starts, shapes, restarts, and calls of the compiled loop in `descent.py`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpy.typing import ArrayLike

from depthjax.config import InversionConfig
from depthjax.descent import (
    RECORDS_PER_CALL,
    Records,
    descend,
    initial_state,
    numbers_of,
)
from depthjax.objectives import base_objective, objective_weight
from depthjax.precision import matmul_precision
from depthjax.priors import draw_start
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
        "images", "final_images", "objective", "best_step", "status", "stopped_step", "trajectory"
    ],
    meta_fields=[],
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
        status: of `depthjax.descent`: `RUNNING` (all steps made), `PLATEAU`, `NON_FINITE` or
            `REACHED` (`stop_distance`).
        stopped_step: updates made.
        trajectory: see `Trajectory`.
    """

    images: Array
    final_images: Array
    objective: Array
    best_step: Array
    status: Array
    stopped_step: Array
    trajectory: Trajectory


@dataclass(frozen=True)
class Progress:
    """Where a descent stands, as told to `on_progress` about twice a second.

    Fields:
        step, steps: updates made, and to be made, of all batches.
        embedding_distance: m_g of the last record, one number for each image × restart; NaN for
            those whose batch has not begun.
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
        max_batch: images × restarts that run at once; more are run one batch after the other.
            `depthjax.fitting_batch` says how many fit into memory.
        on_progress: called about twice a second, on the host, between calls of the loop.

    Returns:
        An `Inversion`. An example whose objective or update is not finite keeps its last finite
        iterate and has status `NON_FINITE`; the others go on.

    Raises:
        ValueError: if the shapes do not belong together, or if `max_batch` is no positive number.
    """
    config = config or InversionConfig()
    if max_batch is not None and max_batch < 1:
        raise ValueError(f"max_batch must be at least 1, got {max_batch}; None runs all at once")
    leading, start, target = _merge_restarts(layer, variables, target_embedding, init)
    reference = None if compare_to is None else _repeat(jnp.asarray(compare_to), leading, "images")
    if reference is not None and reference.shape != start.shape:
        raise ValueError(
            f"init is of images {start.shape[1:]} but compare_to of images {reference.shape[1:]}"
        )
    near_enough = _near_enough(stop_distance, leading, start.dtype)
    layer, variables = prepared(layer, variables, config)
    groups = _groups(len(start), max_batch)
    latest = np.full(len(start), np.nan)
    parts = []
    for index, group in enumerate(groups):

        def report(step: int, distances: np.ndarray, index: int = index) -> None:
            if on_progress is not None:
                latest[groups[index]] = distances
                done = (index * config.steps + step, len(groups) * config.steps)
                on_progress(Progress(*done, latest.copy()))

        aimed = None if reference is None else reference[group]
        parts.append(
            _run(
                layer,
                variables,
                target[group],
                start[group],
                aimed,
                near_enough[group],
                config,
                report,
                watched=on_progress is not None,
            )
        )
    return _shaped(_joined(parts, groups), leading)


def prepared(
    layer: LayerFn, variables: Variables, config: InversionConfig
) -> tuple[LayerFn, Variables]:
    """What the loop runs on: the layer's own fast form, where it has one."""
    if not hasattr(layer, "prepare"):
        return layer, variables
    settings = {"rematerialize": True} if config.rematerialize else {}
    return layer.prepare(variables, **settings)


def _groups(count: int, most: int | None) -> list[Any]:
    """Indices of batches of one size; the last begins again with the first where they run out.

    All at once is a slice: gathering by indices would take examples off the devices they lie on.
    """
    batches = -(-count // (most or count))
    if batches == 1:
        return [slice(None)]
    size = -(-count // batches)
    return list(np.resize(np.arange(count), (batches, size)))


def _run(
    layer: LayerFn,
    variables: Variables,
    target: Embedding,
    start: Images,
    reference: Images | None,
    stop_distance: PerExample,
    config: InversionConfig,
    report: Callable[[int, np.ndarray], None],
    watched: bool,
) -> Inversion:
    """One batch, from its start to its end."""
    scale = jnp.ones(start.shape[0], start.dtype)
    if config.step_scale == "layer":
        scale = step_scale(
            layer,
            variables,
            start,
            target,
            objective=config.objective,
            objective_scale=config.objective_scale,
        ).astype(start.dtype)
    numbers = numbers_of(config, start.dtype)
    state = initial_state(config.structure, start, stop_distance)
    advance = partial(
        descend(), layer, config.structure, variables, target, reference, scale, numbers
    )
    records: list[Records] = []
    for stop in _Pace(config, watched=watched):
        state, rows, count, running = advance(state, jnp.asarray(stop))
        count, running = jax.device_get((count, running))
        rows = jax.device_get(rows)
        records.append(Records(*(row[:count] for row in rows)))
        if count:
            step = min(int(jax.device_get(state.step)), config.steps)
            report(step, np.asarray(records[-1].embedding_distance[-1]))
        if not running:
            break
    rows = [np.concatenate(column) for column in zip(*records, strict=True)]
    return Inversion(
        images=state.best_images,
        final_images=state.images,
        objective=state.best_objective,
        best_step=state.best_step,
        status=state.status,
        stopped_step=state.stopped_step,
        trajectory=Trajectory(*rows),
    )


_ARRAYS = ("images", "final_images", "objective", "best_step", "status", "stopped_step")
_ROWS = ("objective", "embedding_distance", "input_distance")


def _joined(parts: list[Inversion], groups: list[Any]) -> Inversion:
    """All batches as one, each example once."""
    if len(parts) == 1:
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
        _, change = jax.jvp(partial(layer, variables), (start,), (gradient,))
    features = tuple(range(1, change.ndim))
    along = (residual * change).sum(features)
    square = jnp.square(change).sum(features)
    usable = (along > 0) & (square > 0) & jnp.isfinite(along) & jnp.isfinite(square)
    return jnp.where(usable, along / jnp.where(usable, square, 1), 1)


class _Pace:
    """Steps to stop at, without end: as far as the records reach, or half a second if watched."""

    def __init__(self, config: InversionConfig, watched: bool) -> None:
        self.watched, self.end = watched, config.steps + 1
        self.room = RECORDS_PER_CALL * config.record_every

    def __iter__(self) -> Any:
        step, length = 0, 1 if self.watched else self.room
        while True:
            began = time.perf_counter()
            step = min(step + length, self.end)
            yield step
            if self.watched:
                # The first calls compile; doubling at most keeps one slow call from misleading.
                seconds = max(time.perf_counter() - began, 1e-6)
                length = max(1, min(2 * length, int(length * 0.5 / seconds), self.room))


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
