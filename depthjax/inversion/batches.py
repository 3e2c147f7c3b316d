"""One batch of descents on the host: calls of the compiled loop, from its start to its end."""

import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, UInt8

from depthjax.devices.sharding import Split, split_batch
from depthjax.inversion.checkpoints import Kept
from depthjax.inversion.config import InversionConfig
from depthjax.inversion.frames import Frames, on_screen
from depthjax.inversion.loop import RECORDS_PER_CALL, Records, descend
from depthjax.inversion.plan import Plan
from depthjax.inversion.preparing import Prepared
from depthjax.inversion.problem import Data, numbers_of
from depthjax.inversion.results import Inversion, Trajectory
from depthjax.inversion.state import RUNNING, State, initial_state
from depthjax.inversion.step_scale import step_scale_of
from depthjax.inversion.strays import LOOK_EVERY, bring_back
from depthjax.typing import Embedding, Images, PerExample

CALL_SECONDS = 0.5
"""About how long a call of the loop takes where progress is told or states are kept."""


class Examples(NamedTuple):
    """What is to be recovered, from where. N is images × restarts.

    Fields:
        target: the embeddings to reach, `[N, …]`.
        start: `[N, H, W, C]`.
        reference: what the iterates are compared to, `[N, H, W, C]`, or None.
        stop_distance: m_g at which an example stops, `[N]`; minus infinity for never.
    """

    target: Embedding
    start: Images
    reference: Images | None
    stop_distance: PerExample

    def at(self, indices: np.ndarray) -> "Examples":
        """Some of the examples."""
        return _chosen(self, indices)


@jax.jit
def _chosen(examples: Examples, indices: Int[Array, " m"]) -> Examples:
    return jax.tree.map(lambda array: array[indices], examples)


def run_batch(prepared: Prepared, examples: Examples, number: int, plan: Plan) -> Inversion:
    """Runs one batch from its start, or from where it was cut off, to its end.

    Args:
        prepared: the layer and its weights, as they lie on the devices.
        examples: of this batch.
        number: of this batch.
        plan: of the whole inversion.
    """
    config = plan.config
    if plan.mesh is not None:
        examples = jax.device_put(examples, split_batch(plan.mesh))
    data = _data_of(prepared, examples, plan)
    state, rows, frames, finished = _begin_or_resume(examples, number, plan)
    compiled = descend(plan.mesh, examples.start.dtype)
    loop = partial(compiled, prepared.layer, config.structure, prepared.weights, data)
    marks = plan.marks[len(frames) :]
    looks = range(LOOK_EVERY, config.steps, LOOK_EVERY) if config.structure.soft else ()
    pauses = sorted({*marks, *looks})
    pace = stops(config, _step(state), pauses, short=plan.in_short_calls)
    while not finished:
        stop = next(pace)
        state, records, counts, running = loop(state, jnp.asarray(stop, jnp.int32))
        records, counts, running = jax.device_get((records, counts, running))
        if data.reference is None:
            records = records._replace(input_distance=np.full_like(records.objective, np.nan))
        records = _filled_rows(rows[-1] if rows else None, records, counts, plan.split)
        if len(records.step):
            rows.append(records)
            plan.tell(number, min(_step(state), config.steps), records.embedding_distance[-1])
        finished = not np.any(running)
        if stop in looks and not finished:
            state = bring_back(config.structure, state, mesh=plan.mesh)
        # The image that this step's record is of; none once all have stopped before it.
        if stop in marks and not finished and RUNNING in jax.device_get(state.status):
            frames.append(on_screen(state.images))
        if plan.checkpoints is not None:
            kept = Kept(state, _concatenated(rows), frames, finished)
            at_once = finished and plan.split.batches > 1
            plan.checkpoints.keep(number, kept, at_once=at_once)
    if plan.mesh is not None:  # what is done with them next is done on one device
        state = jax.tree.map(jnp.asarray, jax.device_get(state))
    return _result(state, _concatenated(rows), frames, plan)


def _data_of(prepared: Prepared, examples: Examples, plan: Plan) -> Data:
    """The arguments of the loop, with the step scales measured if the config asks for them."""
    config, start = plan.config, examples.start
    numbers = numbers_of(config, start.dtype)
    scale = jnp.ones(start.shape[0], start.dtype)
    if plan.mesh is not None:
        scale = jax.device_put(scale, split_batch(plan.mesh))
    if config.step_scale == "layer":
        of = plan.mesh, prepared.layer, config.structure.objective
        weights = numbers["objective"]
        scale = step_scale_of(*of, prepared.weights, start, examples.target, weights)
        scale = scale.astype(start.dtype)
    return Data(examples.target, examples.reference, scale, numbers)


def _begin_or_resume(
    examples: Examples, number: int, plan: Plan
) -> tuple[State, list[Records], list[UInt8[np.ndarray, "b h w c"]], bool]:
    """The state, records and frames that a batch goes on from, and whether it is finished."""
    begin = partial(initial_state, plan.config.structure, mesh=plan.mesh)
    state = begin(examples.start, examples.stop_distance)
    if plan.checkpoints is not None:
        kept = plan.checkpoints.resume(number, state)
        if kept is not None:
            return kept.state, [kept.records], list(kept.frames), kept.finished
    return state, [], [on_screen(state.images)] if plan.marks else [], False


def stops(
    config: InversionConfig, first: int, marks: Sequence[int], *, short: bool
) -> Iterator[int]:
    """The steps at which calls of the loop end, ascending and without end.

    A call ends where the room for records does, and at every mark, so that the state there can be
    looked at. Short calls end after about `CALL_SECONDS` too, by the clock.

    Args:
        config: `steps` and `record_every`.
        first: the step that the first call begins with.
        marks: steps at which a call has to end, ascending.
        short: whether calls are short.
    """
    every, end = config.record_every, config.steps + 1
    room = RECORDS_PER_CALL * every
    step, length = first, 1 if short else room
    while True:
        began, first = time.perf_counter(), step
        mark = next((mark for mark in marks if mark > first), end)
        # The loop leaves with the record that fills its last row.
        full = (-(-first // every) + RECORDS_PER_CALL - 1) * every + 1
        step = min(first + length, full, mark, end)
        yield step
        if short:
            # The first calls compile; doubling at most keeps one slow call from misleading.
            seconds = max(time.perf_counter() - began, 1e-6)
            fitting = int((step - first) * CALL_SECONDS / seconds)
            length = max(1, min(2 * length, fitting, room))


def _filled_rows(last: Records | None, rows: Records, counts: np.ndarray, split: Split) -> Records:
    """The rows that a call filled.

    Where all examples of a device had stopped before those of another, its last row stands again.

    Args:
        last: rows of the call before; None in the first, where every device fills one at least.
        rows: with room for more than were filled.
        counts: how many each device filled.
        split: of the examples over the devices.
    """
    longest = int(counts.max())
    # [rows, examples]: which of its own rows an example has there; -1 is the last one before.
    index = np.minimum(np.arange(longest)[:, None], np.repeat(counts, split.per_device) - 1)

    def fill(new: np.ndarray, before: np.ndarray | None) -> np.ndarray:
        own = np.take_along_axis(new, np.maximum(index, 0), axis=0)
        return own if before is None else np.where(index < 0, before[-1:], own)

    steps = rows.step[np.argmax(counts), :longest]
    before = [None] * len(rows) if last is None else last
    return Records(steps, *map(fill, rows[1:], before[1:]))


def _result(state: State, rows: Records, frames: list[np.ndarray], plan: Plan) -> Inversion:
    trajectory = Trajectory(*rows)
    ended = int(np.max(state.stopped_step))
    return Inversion(
        images=state.best_images,
        final_images=state.images,
        objective=state.best_objective,
        best_step=state.best_step,
        status=state.status,
        stopped_step=state.stopped_step,
        trajectory=trajectory,
        split=plan.split,
        frames=Frames.ending(plan.marks, frames, ended, state.images) if plan.marks else None,
    )


def _step(state: State) -> int:
    return int(np.max(jax.device_get(state.step)))


def _concatenated(rows: Sequence[Records]) -> Records:
    return Records(*(np.concatenate(column) for column in zip(*rows, strict=True)))
