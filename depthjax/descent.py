"""The compiled loop of a descent: one batch, one program, examples that never mix.

Losses are summed over the batch, the optimiser is applied to each example by itself, and an example
that stops changes no other. What may change between runs without compiling again (rates, widths,
the number of steps) comes in as arrays; `Structure` alone is compiled in.
"""

from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int

from depthjax.config import InversionConfig, Structure, make_optimizer
from depthjax.objectives import base_objective, norms, objective_weight
from depthjax.precision import compiler_options, matmul_precision
from depthjax.priors import blur3, range_penalty
from depthjax.typing import Embedding, Images, LayerFn, PerExample, Variables

RECORDS_PER_CALL = 64
"""Rows of trajectory that one call of the compiled loop can hold; the driver calls it again."""

RUNNING, PLATEAU, NON_FINITE = 0, 1, 2
"""Why an example stopped (`Inversion.status`): it did not, it converged, or it overflowed."""


class State(NamedTuple):
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


class Records(NamedTuple):
    """Rows of the trajectory; on the device there is room for `RECORDS_PER_CALL`."""

    step: Any
    objective: Any
    embedding_distance: Any
    input_distance: Any


def numbers_of(config: InversionConfig, dtype: Any) -> dict[str, Array]:
    """What may change without compiling again."""
    names = (
        "objective_scale", "learning_rate", "final_learning_rate", "blur_sigma",
        "final_blur_sigma", "penalty_weight", "plateau",
    )  # fmt: skip
    numbers = {name: jnp.asarray(getattr(config, name), dtype) for name in names}
    # A patience that cannot run out switches the plateau off without another program.
    most = np.iinfo(np.int32).max
    patience = config.patience if config.plateau > 0 else most
    whole = {"steps": config.steps, "record_every": config.record_every, "patience": patience}
    return numbers | {
        name: jnp.asarray(min(value, most), jnp.int32) for name, value in whole.items()
    }


@partial(jax.jit, static_argnums=0)
def initial_state(structure: Structure, start: Images) -> State:
    """Where a descent from `start` begins."""
    batch = start.shape[0]
    zeros = jnp.zeros(batch, jnp.int32)
    infinite = jnp.full(batch, jnp.inf, start.dtype)

    method = make_optimizer(structure.optimizer, structure.optimizer_options)
    return State(
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


@cache
def descend() -> Any:
    """The loop, compiled with the options of the backend in use; see `_descend`."""
    return jax.jit(
        _descend,
        static_argnums=(0, 1),
        donate_argnums=7,
        compiler_options=compiler_options(),
    )


def _descend(
    layer: LayerFn,
    structure: Structure,
    variables: Variables,
    target: Embedding,
    reference: Images | None,
    scale: PerExample,
    numbers: dict[str, Array],
    state: State,
    stop: Int[Array, ""],
) -> tuple[State, Records, Int[Array, ""], Bool[Array, ""]]:
    """Steps until `stop`, or until the records are full, or until every example has stopped.

    The pass after the last update only evaluates: that is how the final iterate gets its
    objective and its record without a second compiled program.
    """
    batch = state.images.shape[0]
    dtype = state.images.dtype
    target = target.astype(dtype)
    weight = objective_weight(structure.objective, target, numbers["objective_scale"])
    empty = jnp.full((RECORDS_PER_CALL, batch), jnp.nan, dtype)
    records = Records(jnp.zeros(RECORDS_PER_CALL, jnp.int32), empty, empty, empty)

    def evaluate(images: Images) -> tuple[Array, tuple[PerExample, Embedding]]:
        with matmul_precision(structure.precision):
            # Weights in float64 make a float64 embedding; the descent stays in the start's dtype.
            embedding = layer(variables, images).astype(dtype)
        objective = weight * base_objective(structure.objective, embedding - target)
        if structure.pixels == "penalty":
            objective += numbers["penalty_weight"] * range_penalty(images)
        return objective.sum(), (objective, embedding)

    def unfinished(loop: tuple[State, Records, Array]) -> Bool[Array, ""]:
        state, _, count = loop
        running = (state.status == RUNNING).any()
        last = state.step > numbers["steps"]
        return (state.step < stop) & running & ~last & (count < RECORDS_PER_CALL)

    def body(loop: tuple[State, Records, Array]) -> tuple[State, Records, Array]:
        state, records, count = loop
        (_, (objective, embedding)), gradient = jax.value_and_grad(evaluate, has_aux=True)(
            state.images
        )
        final = state.step == numbers["steps"]
        recorded = (state.step % numbers["record_every"] == 0) | final

        def record(records: Records) -> Records:
            nearness = jnp.full(batch, jnp.nan, dtype)
            if reference is not None:
                nearness = norms(state.images - reference)
            row = (state.step, objective, norms(embedding - target), nearness)
            return Records(
                *(rows.at[count].set(new) for rows, new in zip(records, row, strict=True))
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
    state: State,
    objective: PerExample,
    gradient: Images,
    final: Bool[Array, ""],
) -> State:
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
    # A sum is finite only if all of its terms are, and takes one pass instead of three.
    finite = jnp.isfinite(objective) & jnp.isfinite(images.sum((1, 2, 3)))
    better = running & (objective < state.best_objective)
    improved = running & (objective < state.plateau_objective * (1 - numbers["plateau"]))
    plateau_step = jnp.where(improved, state.step, state.plateau_step)
    stalled = state.step - plateau_step >= numbers["patience"]
    status = jnp.where(stalled, PLATEAU, RUNNING)
    status = jnp.where(finite, status, NON_FINITE)
    status = jnp.where(running & ~final, status, state.status)
    moved = (status == RUNNING) & ~final
    return State(
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
