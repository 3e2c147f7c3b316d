"""The compiled loop of a descent: one batch, one program, examples that never mix.

Losses are summed over the batch, the optimiser is applied to each example by itself, and an example
that stops changes no other. So on several devices each runs a loop of its own over its part of the
batch, and stops when its own examples have: the program has nothing to communicate.

What may change between runs without compiling again (rates, widths, the number of steps) comes in
as arrays; `Structure` alone is compiled in.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Bool, Int

from depthjax.devices.precision import compiler_options
from depthjax.devices.sharding import BY_EXAMPLE, COLUMN_BY_EXAMPLE, WHOLE, on_each
from depthjax.devices.spreading import specs
from depthjax.inversion.config import Structure
from depthjax.inversion.objectives import norms
from depthjax.inversion.problem import Data, problem_of
from depthjax.inversion.state import RUNNING, State
from depthjax.inversion.steps import advance, make_step
from depthjax.typing import Embedding, LayerFn, PerExample, Variables

RECORDS_PER_CALL = 64
"""Rows of the trajectory that one call of the compiled loop can fill; `batches` calls it again."""


class Records(NamedTuple):
    """Rows of the trajectory; on the device there is room for `RECORDS_PER_CALL`.

    `input_distance` is 0 where there is nothing to compare the images to.
    """

    step: Any
    objective: Any
    embedding_distance: Any
    input_distance: Any


def descend(mesh: Mesh | None, dtype: Any) -> Any:
    """The loop, compiled with the options of the backend in use; see `_descend`.

    Args:
        mesh: the devices that share the batch; None for the one where the arrays lie.
        dtype: of the images.

    The batch, the state and the columns of the records are split over the devices, and what is one
    number for a batch (`step`, the number of records, whether any example is still running) is one
    for each device, `[devices]`. The weights lie whole on every device, or in parts
    (`devices.spreading`).
    """
    return _compiled(mesh, jnp.dtype(dtype))


@cache
def _compiled(mesh: Mesh | None, dtype: np.dtype) -> Any:
    return jax.jit(
        partial(_descend_on, mesh),
        static_argnums=(0, 1),
        donate_argnums=4,
        compiler_options=compiler_options(dtype),
    )


def _descend_on(
    mesh: Mesh | None, layer: LayerFn, structure: Structure, weights: Variables, *arguments: Any
) -> Any:
    """`_descend`, by every device for its part of the batch."""

    def on_one(weights: Variables, data: Data, state: State, stop: Array) -> Any:
        state = state._replace(step=state.step[0])
        state, records, count, running = _descend(layer, structure, weights, data, state, stop)
        records = records._replace(step=records.step[None])
        return state._replace(step=state.step[None]), records, count[None], running[None]

    data: Any = Data(BY_EXAMPLE, BY_EXAMPLE, BY_EXAMPLE, WHOLE)  # type: ignore[arg-type]
    records = Records(BY_EXAMPLE, *[COLUMN_BY_EXAMPLE] * 3)
    lie = (specs(weights), data, BY_EXAMPLE, WHOLE)
    results = (BY_EXAMPLE, records, BY_EXAMPLE, BY_EXAMPLE)
    return on_each(on_one, mesh, lie, results)(weights, *arguments)


def _descend(
    layer: LayerFn,
    structure: Structure,
    variables: Variables,
    data: Data,
    state: State,
    stop: Int[Array, ""],
) -> tuple[State, Records, Int[Array, ""], Bool[Array, ""]]:
    """Steps until `stop`, or until the records are full, or until every example has stopped and its
    end has a record.

    The pass after the last update only evaluates: that is how the final iterate gets its
    objective and its record without a second compiled program.

    Args:
        layer, variables: as in `invert`, or what they were prepared to.
        structure: the part of the config that is compiled in.
        data: of the batch.
        state: where it stands; its memory is used again for the state that is returned.
        stop: the number of the step before which to stop.

    Returns:
        The state, the records, how many of their rows were filled, and whether there is more to
        do.
    """
    batch, dtype = state.images.shape[0], state.images.dtype
    data = data._replace(target=data.target.astype(dtype))
    problem = problem_of(layer, structure, variables, data, state.images.shape[1:])
    step, numbers = make_step(structure, problem, data), data.numbers
    empty = jnp.zeros((RECORDS_PER_CALL, batch), dtype)
    records = Records(jnp.zeros(RECORDS_PER_CALL, jnp.int32), empty, empty, empty)

    def left(state: State) -> Bool[Array, ""]:
        # Where all have stopped the next record is still made: it is of how they ended.
        behind = state.step - 1
        recorded = behind - behind % numbers["record_every"] >= state.stopped_step.max()
        running = (state.status == RUNNING).any()
        return (running | ~recorded) & (state.step <= numbers["steps"])

    def unfinished(loop: tuple[State, Records, Array]) -> Bool[Array, ""]:
        state, _, count = loop
        return left(state) & (state.step < stop) & (count < RECORDS_PER_CALL)

    def body(loop: tuple[State, Records, Array]) -> tuple[State, Records, Array]:
        state, records, count = loop
        candidate = step(state)
        final = state.step == numbers["steps"]
        recorded = (state.step % numbers["record_every"] == 0) | final
        seen = candidate.embedding
        plain = partial(problem.observe, state.images, state.step, state.softness)
        embed = (lambda: plain()[0]) if structure.transforms else (lambda: seen)
        record = partial(_record, data, state, candidate.objective, embed, count)
        records, distance = jax.lax.cond(recorded, record, _skip, records)
        reached = distance <= state.stop_distance
        latest = bool(structure.transforms)
        state = advance(numbers, state, candidate, reached, final, latest=latest)
        return state, records, count + recorded

    zero = jnp.zeros((), jnp.int32)
    state, records, count = jax.lax.while_loop(unfinished, body, (state, records, zero))
    return state, records, count, left(state)


def _record(
    data: Data,
    state: State,
    objective: PerExample,
    embed: Callable[[], Embedding],
    count: Array,
    records: Records,
) -> tuple[Records, PerExample]:
    """The records with one more row, and m_g, both of the images as they are."""
    nearness = jnp.zeros_like(objective)
    if data.reference is not None:
        nearness = norms(state.images - data.reference)
    distance = norms(embed() - data.target)
    row = (state.step, objective, distance, nearness)
    rows = (rows.at[count].set(new) for rows, new in zip(records, row, strict=True))
    return Records(*rows), distance


def _skip(records: Records) -> tuple[Records, PerExample]:
    """No record; a distance that is near to nothing."""
    return records, jnp.full(records.objective.shape[1], jnp.inf, records.objective.dtype)
