"""The compiled loop of a descent: one batch, one program, examples that never mix.

Losses are summed over the batch, the optimiser is applied to each example by itself, and an example
that stops changes no other. So on several devices each runs a loop of its own over its share, and
stops when its own examples have: the program has nothing to communicate.

What may change between runs without compiling again (rates, widths, the number of steps) comes in
as arrays; `Structure` alone is compiled in.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Bool, Int

from depthjax.devices.precision import compiler_options, matmul_precision
from depthjax.devices.sharding import AXIS
from depthjax.devices.spreading import specs
from depthjax.inversion import gauss_newton
from depthjax.inversion.config import InversionConfig, Structure
from depthjax.inversion.objectives import base_objective, norms, objective_weight
from depthjax.inversion.optimizers import analyse, in_fourier, make_optimizer, synthesise
from depthjax.inversion.priors import blur3, range_penalty
from depthjax.typing import Embedding, Images, LayerFn, PerExample, Variables

RECORDS_PER_CALL = 64
"""Rows of trajectory that one call of the compiled loop can hold; the driver calls it again."""

RUNNING, PLATEAU, NON_FINITE, REACHED = 0, 1, 2, 3
"""Why an example stopped (`Inversion.status`): it did not, it converged, it overflowed, or its
embedding came as near as was asked for."""


class State(NamedTuple):
    """All that a descent needs to go on; B is images × restarts.

    On a mesh every device has a `step` of its own, `[devices]`.
    """

    step: Int[Array, "*devices"]
    images: Images
    optimizer: Any
    best_images: Images
    best_objective: PerExample
    best_step: Int[Array, " batch"]
    plateau_objective: PerExample
    plateau_step: Int[Array, " batch"]
    status: Int[Array, " batch"]
    stopped_step: Int[Array, " batch"]
    stop_distance: PerExample


class Records(NamedTuple):
    """Rows of the trajectory; on the device there is room for `RECORDS_PER_CALL`."""

    step: Any
    objective: Any
    embedding_distance: Any
    input_distance: Any


class Candidate(NamedTuple):
    """What one step found out about the images, and where it would take them."""

    embedding: Embedding
    objective: PerExample
    images: Images
    optimizer: Any


Place = Callable[[Images], Images]
"""A change of the images -> the images after it."""


def numbers_of(config: InversionConfig, dtype: Any) -> dict[str, Array]:
    """What may change without compiling again."""
    names = (
        "objective_scale", "learning_rate", "final_learning_rate", "blur_sigma",
        "final_blur_sigma", "penalty_weight", "plateau", "fourier_decay", "trust_radius",
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
def initial_state(
    structure: Structure, start: Images, stop_distance: PerExample | None = None
) -> State:
    """Where a descent from `start` begins, and the embedding distance that ends it, if any does."""
    batch = start.shape[0]
    zeros = jnp.zeros(batch, jnp.int32)
    infinite = jnp.full(batch, jnp.inf, start.dtype)

    if structure.optimizer == "gauss_newton":
        options = gauss_newton.Options(**dict(structure.optimizer_options))
        optimizer = jnp.full(batch, options.damping, start.dtype)
    else:
        # What an optimiser starts with has the shape of its parameters, whatever the decay.
        optimizer = jax.vmap(_method(structure, 0.0).init)(jnp.zeros_like(start))
    return State(
        step=jnp.zeros((), jnp.int32),
        images=start,
        optimizer=optimizer,
        best_images=start,
        best_objective=infinite,
        best_step=zeros,
        plateau_objective=infinite,
        plateau_step=zeros,
        status=zeros,
        stopped_step=zeros,
        stop_distance=-infinite if stop_distance is None else stop_distance,
    )


@cache
def initial_state_on(mesh: Mesh) -> Any:
    """`initial_state` of a batch that lies on a mesh, each device with its share."""

    def initial(structure: Structure, start: Images, stop_distance: PerExample) -> State:
        def share(start: Images, stop_distance: PerExample) -> State:
            return _with_axis(initial_state(structure, start, stop_distance))

        return jax.shard_map(
            share, mesh=mesh, in_specs=_SHARED, out_specs=_SHARED, check_vma=False
        )(start, stop_distance)

    return jax.jit(initial, static_argnums=0)


@cache
def descend(mesh: Mesh | None = None) -> Any:
    """The loop, compiled with the options of the backend in use; see `_descend`.

    On a mesh the batch, the state and the columns of the records are shared out, the weights lie on
    every device, and what is one number for a batch (`step`, the number of records, whether any
    example is still running) is one for each device, `[devices]`.
    """
    return jax.jit(
        _descend if mesh is None else partial(_descend_on, mesh),
        static_argnums=(0, 1),
        donate_argnums=7,
        compiler_options=compiler_options(),
    )


_WHOLE, _SHARED = PartitionSpec(), PartitionSpec(AXIS)
_COLUMNS = PartitionSpec(None, AXIS)


def _descend_on(
    mesh: Mesh, layer: LayerFn, structure: Structure, weights: Variables, *arguments: Any
) -> Any:
    """`_descend`, by every device for its share."""

    def share(*arguments: Any) -> Any:
        *others, state, stop = arguments
        state = state._replace(step=state.step[0])
        loop: Any = partial(_descend, layer, structure)
        state, records, count, running = loop(*others, state, stop)
        records = records._replace(step=records.step[None])
        return _with_axis(state), records, count[None], running[None]

    records = Records(_SHARED, _COLUMNS, _COLUMNS, _COLUMNS)
    return jax.shard_map(
        share,
        mesh=mesh,
        in_specs=(specs(weights), _SHARED, _SHARED, _SHARED, _WHOLE, _SHARED, _WHOLE),
        out_specs=(_SHARED, records, _SHARED, _SHARED),
        check_vma=False,
    )(weights, *arguments)


def _with_axis(state: State) -> State:
    return state._replace(step=state.step[None])


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

    def embed(images: Images) -> Embedding:
        with matmul_precision(structure.precision):
            # Weights in float64 make a float64 embedding; the descent stays in the start's dtype.
            return layer(variables, images).astype(dtype)

    def assess(images: Images, embedding: Embedding) -> PerExample:
        objective = weight * base_objective(structure.objective, embedding - target)
        if structure.pixels == "penalty":
            objective += numbers["penalty_weight"] * range_penalty(images)
        return objective

    def follow_gradient(state: State, place: Place) -> Candidate:
        def evaluate(images: Images) -> tuple[Array, tuple[PerExample, Embedding]]:
            embedding = embed(images)
            objective = assess(images, embedding)
            return objective.sum(), (objective, embedding)

        (_, (objective, embedding)), gradient = jax.value_and_grad(evaluate, has_aux=True)(
            state.images
        )
        method = _method(structure, numbers["fourier_decay"])
        change, optimizer = jax.vmap(method.update)(gradient, state.optimizer, state.images)
        return Candidate(embedding, objective, place(change), optimizer)

    def solve_linearised(state: State, place: Place) -> Candidate:
        options = gauss_newton.Options(**dict(structure.optimizer_options))
        embedding, change = gauss_newton.change(
            embed,
            state.images,
            target,
            state.optimizer,
            _coordinates(structure, numbers, state.images.shape[2]),
            options.iterations,
        )
        objective, images = assess(state.images, embedding), place(change)
        accepted = assess(images, embed(images)) < objective
        images = _select(accepted, images, state.images)
        damping = gauss_newton.adapted(state.optimizer, accepted)
        return Candidate(embedding, objective, images, damping)

    step = solve_linearised if structure.optimizer == "gauss_newton" else follow_gradient

    def unfinished(loop: tuple[State, Records, Array]) -> Bool[Array, ""]:
        state, _, count = loop
        running = (state.status == RUNNING).any()
        last = state.step > numbers["steps"]
        return (state.step < stop) & running & ~last & (count < RECORDS_PER_CALL)

    def body(loop: tuple[State, Records, Array]) -> tuple[State, Records, Array]:
        state, records, count = loop
        candidate = step(state, partial(_placed, structure, numbers, scale, state))
        final = state.step == numbers["steps"]
        recorded = (state.step % numbers["record_every"] == 0) | final

        def record(records: Records) -> tuple[Records, PerExample]:
            nearness = jnp.full(batch, jnp.nan, dtype)
            if reference is not None:
                nearness = norms(state.images - reference)
            distance = norms(candidate.embedding - target)
            row = (state.step, candidate.objective, distance, nearness)
            rows = (rows.at[count].set(new) for rows, new in zip(records, row, strict=True))
            return Records(*rows), distance

        def pass_by(records: Records) -> tuple[Records, PerExample]:
            return records, jnp.full(batch, jnp.inf, dtype)

        records, distance = jax.lax.cond(recorded, record, pass_by, records)
        reached = distance <= state.stop_distance
        return _advance(numbers, state, candidate, reached, final), records, count + recorded

    zero = jnp.zeros((), jnp.int32)
    state, records, count = jax.lax.while_loop(unfinished, body, (state, records, zero))
    running = (state.status == RUNNING).any() & (state.step <= numbers["steps"])
    return state, records, count, running


def _method(structure: Structure, decay: Array | float) -> Any:
    method = make_optimizer(structure.optimizer, structure.optimizer_options)
    return in_fourier(method, decay) if structure.fourier else method


def _coordinates(
    structure: Structure, numbers: dict[str, Array], width: int
) -> gauss_newton.Coordinates:
    if not structure.fourier:
        return gauss_newton.Coordinates(lambda images: images, lambda d: d)
    decay = numbers["fourier_decay"]
    return gauss_newton.Coordinates(
        jax.vmap(lambda image: analyse(image, decay)),
        jax.vmap(lambda coefficients: synthesise(coefficients, decay, width)),
    )


def _placed(
    structure: Structure,
    numbers: dict[str, Array],
    scale: PerExample,
    state: State,
    change: Images,
) -> Images:
    """The images after a change: as far as the rate and the trust radius let it go, then priors."""
    fraction = state.step.astype(scale.dtype) / numbers["steps"].astype(scale.dtype)
    rate = _scheduled(structure.schedule, numbers, fraction) * scale  # [B]
    if structure.trust:
        size = norms(change) * rate / np.sqrt(change[0].size)
        rate *= numbers["trust_radius"] / jnp.maximum(size, numbers["trust_radius"])
    images = state.images + rate[:, None, None, None] * change
    if structure.blur:
        first, last = numbers["blur_sigma"], numbers["final_blur_sigma"]
        images = blur3(images, first + (last - first) * fraction)
    if structure.pixels == "clip":
        images = jnp.clip(images, 0, 1)
    return images


def _advance(
    numbers: dict[str, Array],
    state: State,
    candidate: Candidate,
    reached: Bool[Array, " batch"],
    final: Bool[Array, ""],
) -> State:
    """The running examples move to their candidates, and what is remembered of them."""
    _, objective, images, optimizer = candidate
    running = state.status == RUNNING
    # A sum is finite only if all of its terms are, and takes one pass instead of three.
    finite = jnp.isfinite(objective) & jnp.isfinite(images.sum((1, 2, 3)))
    # Of an example that has come near enough, the image there is what was asked for.
    better = running & (reached | (objective < state.best_objective))
    improved = running & (objective < state.plateau_objective * (1 - numbers["plateau"]))
    plateau_step = jnp.where(improved, state.step, state.plateau_step)
    stalled = state.step - plateau_step >= numbers["patience"]
    status = jnp.where(stalled, PLATEAU, RUNNING)
    status = jnp.where(finite, status, NON_FINITE)
    status = jnp.where(reached, REACHED, status)
    status = jnp.where(running & (reached | ~final), status, state.status)
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
        stop_distance=state.stop_distance,
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
