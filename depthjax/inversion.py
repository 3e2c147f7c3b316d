"""Recover images from embeddings by gradient descent on the input.

The whole descent is one compiled loop over a batch. Examples never mix: losses are summed, the
optimiser is applied to each example by itself, and an example that stops changes no other.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from depthjax.config import InversionConfig, Structure, make_optimizer
from depthjax.objectives import base_objective, norms, objective_weight
from depthjax.precision import matmul_precision
from depthjax.priors import blur3, draw_start, range_penalty
from depthjax.typing import Embedding, Images, LayerFn, PerExample, Scalar, Variables

RECORDS_PER_CALL = 64
"""Rows of trajectory that one call of the compiled loop can hold; the driver calls it again."""

RUNNING, PLATEAU, NON_FINITE = 0, 1, 2
"""Why an example stopped (`Inversion.status`): it did not, it converged, or it overflowed."""


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["step", "objective", "embedding_distance", "input_distance"],
    meta_fields=[],
)
@dataclass(frozen=True)
class Trajectory:
    """What was recorded on the way. T records; `…` is `batch` or `restarts batch`.

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
        images: the iterate with the smallest objective.
        final_images: the last iterate.
        objective: the objective of `images`.
        best_step: the step at which `images` was reached.
        status: `RUNNING` (all steps made), `PLATEAU` or `NON_FINITE`.
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
        step, steps: updates made, and to be made.
        embedding_distance: m_g of the last record, one number for each image × restart.
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
        on_progress: called about twice a second, on the host, between calls of the loop.

    Returns:
        An `Inversion`. An example whose objective or update is not finite keeps its last finite
        iterate and has status `NON_FINITE`; the others go on.

    Raises:
        ValueError: if the shapes do not belong together.
    """
    config = config or InversionConfig()
    leading, start, target = _merge_restarts(layer, variables, target_embedding, init)
    reference = None if compare_to is None else _repeat(jnp.asarray(compare_to), leading, "images")
    if reference is not None and reference.shape != start.shape:
        raise ValueError(
            f"init is of images {start.shape[1:]} but compare_to of images {reference.shape[1:]}"
        )
    if hasattr(layer, "prepare"):
        layer, variables = layer.prepare(variables)
    scale = jnp.ones(start.shape[0], start.dtype)
    if config.step_scale == "layer":
        scale = step_scale(
            layer,
            variables,
            start,
            target,
            objective=config.objective,
            objective_scale=config.objective_scale,
        )
    numbers = _numbers(config, start.dtype)
    state = _initial_state(config.structure, start)
    descend = partial(
        _descend, layer, config.structure, variables, target, reference, scale, numbers
    )
    records: list[_Records] = []
    for stop in _Pace(config, watched=on_progress is not None):
        state, rows, count, running = descend(state, jnp.asarray(stop))
        count, running = jax.device_get((count, running))
        rows = jax.device_get(rows)
        records.append(_Records(*(row[:count] for row in rows)))
        if on_progress is not None and count:
            step = min(int(jax.device_get(state.step)), config.steps)
            last = np.asarray(records[-1].embedding_distance[-1])
            on_progress(Progress(step, config.steps, last))
        if not running:
            break
    return _unmerge(leading, state, records, config)


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


# ------------------------------------------------------------------------------ the compiled loop


class _State(NamedTuple):
    """All that a descent needs to go on; B is images × restarts."""

    step: Int[Array, ""]
    images: Images
    optimizer: Any
    best_images: Images
    best_objective: PerExample
    best_step: Int[Array, " batch"]
    plateau_objective: PerExample
    plateau_step: Int[Array, " batch"]
    status: Int[Array, " batch"]
    stopped_step: Int[Array, " batch"]


class _Records(NamedTuple):
    """Rows of the trajectory; on the device there is room for `RECORDS_PER_CALL`."""

    step: Any
    objective: Any
    embedding_distance: Any
    input_distance: Any


def _numbers(config: InversionConfig, dtype: Any) -> dict[str, Array]:
    """What may change without compiling again."""
    names = (
        "objective_scale", "learning_rate", "final_learning_rate", "blur_sigma",
        "final_blur_sigma", "penalty_weight", "plateau",
    )  # fmt: skip
    numbers = {name: jnp.asarray(getattr(config, name), dtype) for name in names}
    # A patience that cannot run out switches the plateau off without another program.
    patience = config.patience if config.plateau > 0 else np.iinfo(np.int32).max
    whole = {"steps": config.steps, "record_every": config.record_every, "patience": patience}
    return numbers | {name: jnp.asarray(value, jnp.int32) for name, value in whole.items()}


@partial(jax.jit, static_argnums=0)
def _initial_state(structure: Structure, start: Images) -> _State:
    batch = start.shape[0]
    zeros = jnp.zeros(batch, jnp.int32)
    infinite = jnp.full(batch, jnp.inf, start.dtype)

    method = make_optimizer(structure.optimizer, structure.optimizer_options)
    return _State(
        step=jnp.zeros((), jnp.int32),
        images=start,
        optimizer=jax.vmap(method.init)(start),
        best_images=start,
        best_objective=infinite,
        best_step=zeros,
        plateau_objective=infinite,
        plateau_step=zeros,
        status=zeros,
        stopped_step=zeros,
    )


@partial(jax.jit, static_argnums=(0, 1), donate_argnums=7)
def _descend(
    layer: LayerFn,
    structure: Structure,
    variables: Variables,
    target: Embedding,
    reference: Images | None,
    scale: PerExample,
    numbers: dict[str, Array],
    state: _State,
    stop: Int[Array, ""],
) -> tuple[_State, _Records, Int[Array, ""], Bool[Array, ""]]:
    """Steps until `stop`, or until the records are full, or until every example has stopped.

    The pass after the last update only evaluates: that is how the final iterate gets its
    objective and its record without a second compiled program.
    """
    batch = state.images.shape[0]
    dtype = state.images.dtype
    weight = objective_weight(structure.objective, target, numbers["objective_scale"])
    empty = jnp.full((RECORDS_PER_CALL, batch), jnp.nan, dtype)
    records = _Records(jnp.zeros(RECORDS_PER_CALL, jnp.int32), empty, empty, empty)

    def evaluate(images: Images) -> tuple[Array, tuple[PerExample, Embedding]]:
        with matmul_precision(structure.precision):
            embedding = layer(variables, images)
        objective = weight * base_objective(structure.objective, embedding - target)
        if structure.pixels == "penalty":
            objective += numbers["penalty_weight"] * range_penalty(images)
        return objective.sum(), (objective, embedding)

    def unfinished(loop: tuple[_State, _Records, Array]) -> Bool[Array, ""]:
        state, _, count = loop
        running = (state.status == RUNNING).any()
        last = state.step > numbers["steps"]
        return (state.step < stop) & running & ~last & (count < RECORDS_PER_CALL)

    def body(loop: tuple[_State, _Records, Array]) -> tuple[_State, _Records, Array]:
        state, records, count = loop
        (_, (objective, embedding)), gradient = jax.value_and_grad(evaluate, has_aux=True)(
            state.images
        )
        final = state.step == numbers["steps"]
        recorded = (state.step % numbers["record_every"] == 0) | final

        def record(records: _Records) -> _Records:
            nearness = jnp.full(batch, jnp.nan, dtype)
            if reference is not None:
                nearness = norms(state.images - reference)
            row = (state.step, objective, norms(embedding - target), nearness)
            return _Records(
                *(all_.at[count].set(new) for all_, new in zip(records, row, strict=True))
            )

        records = jax.lax.cond(recorded, record, lambda records: records, records)
        state = _advance(structure, numbers, scale, state, objective, gradient, final)
        return state, records, count + recorded

    zero = jnp.zeros((), jnp.int32)
    state, records, count = jax.lax.while_loop(unfinished, body, (state, records, zero))
    running = (state.status == RUNNING).any() & (state.step <= numbers["steps"])
    return state, records, count, running


def _advance(
    structure: Structure,
    numbers: dict[str, Array],
    scale: PerExample,
    state: _State,
    objective: PerExample,
    gradient: Images,
    final: Bool[Array, ""],
) -> _State:
    """One update of the images of the running examples, and of what is remembered of them."""
    fraction = state.step.astype(scale.dtype) / numbers["steps"].astype(scale.dtype)
    rate = _scheduled(structure.schedule, numbers, fraction) * scale  # [B]

    method = make_optimizer(structure.optimizer, structure.optimizer_options)
    change, optimizer = jax.vmap(method.update)(gradient, state.optimizer, state.images)
    images = state.images + rate[:, None, None, None] * change
    if structure.blur:
        first, last = numbers["blur_sigma"], numbers["final_blur_sigma"]
        images = blur3(images, first + (last - first) * fraction)
    if structure.pixels == "clip":
        images = jnp.clip(images, 0, 1)

    running = state.status == RUNNING
    finite = jnp.isfinite(objective) & jnp.isfinite(images).all((1, 2, 3))
    better = running & (objective < state.best_objective)
    improved = running & (objective < state.plateau_objective * (1 - numbers["plateau"]))
    plateau_step = jnp.where(improved, state.step, state.plateau_step)
    stalled = state.step - plateau_step >= numbers["patience"]
    status = jnp.where(stalled, PLATEAU, RUNNING)
    status = jnp.where(finite, status, NON_FINITE)
    status = jnp.where(running & ~final, status, state.status)
    moved = (status == RUNNING) & ~final
    return _State(
        step=state.step + 1,
        images=_select(moved, images, state.images),
        optimizer=optimizer,
        best_images=_select(better, state.images, state.best_images),
        best_objective=jnp.where(better, objective, state.best_objective),
        best_step=jnp.where(better, state.step, state.best_step),
        plateau_objective=jnp.where(improved, objective, state.plateau_objective),
        plateau_step=plateau_step,
        status=status,
        stopped_step=state.stopped_step + moved,
    )


def _scheduled(schedule: str, numbers: dict[str, Array], fraction: Array) -> Array:
    first, last = numbers["learning_rate"], numbers["final_learning_rate"]
    if schedule == "constant":
        return first
    if schedule == "linear":
        return first + (last - first) * fraction
    return last + (first - last) * 0.5 * (1 + jnp.cos(jnp.pi * fraction))


def _select(chosen: Bool[Array, " batch"], new: Images, old: Images) -> Images:
    return jnp.where(chosen[:, None, None, None], new, old)


# ------------------------------------------------------------------------------- on the host side


class _Pace:
    """Steps to stop at, without end: as far as the records reach, or half a second if watched."""

    def __init__(self, config: InversionConfig, watched: bool) -> None:
        self.watched = watched
        self.room = RECORDS_PER_CALL * config.record_every

    def __iter__(self) -> Any:
        step, length = 0, 1 if self.watched else self.room
        while True:
            began = time.perf_counter()
            step += length
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
    if init.ndim not in (4, 5):
        raise ValueError(
            f"init must be [batch, height, width, channels] or have restarts before the batch,"
            f" got shape {init.shape}"
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


def _repeat(array: Array, leading: tuple[int, ...], what: str) -> Array:
    if array.shape[0] != leading[-1]:
        raise ValueError(f"{leading[-1]} images to recover, but {array.shape[0]} {what}")
    return jnp.tile(array, (leading[0], *[1] * (array.ndim - 1))) if len(leading) == 2 else array


def _unmerge(
    leading: tuple[int, ...], state: _State, records: list[_Records], config: InversionConfig
) -> Inversion:
    def batched(array: Array) -> Array:
        return array.reshape(*leading, *array.shape[1:])

    rows = [np.concatenate(column) for column in zip(*records, strict=True)]
    recorded = [row.reshape(len(row), *leading) for row in rows[1:]]
    return Inversion(
        images=batched(state.best_images),
        final_images=batched(state.images),
        objective=batched(state.best_objective),
        best_step=batched(state.best_step),
        status=batched(state.status),
        stopped_step=batched(state.stopped_step),
        trajectory=Trajectory(rows[0], *recorded),
    )
