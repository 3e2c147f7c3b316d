import itertools
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import depthjax
from depthjax.folders.run_writer import start_run
from depthjax.inversion import batches
from depthjax.inversion.batches import stops
from depthjax.inversion.config import InversionConfig
from depthjax.inversion.frames import frame_steps, on_screen
from depthjax.inversion.invert import invert
from depthjax.inversion.loop import RECORDS_PER_CALL
from depthjax.inversion.state import REACHED

CONFIG = InversionConfig(
    steps=30,
    record_every=3,
    objective="squared_l2",
    optimizer="sgd",
    learning_rate=0.2,
    schedule="constant",
    pixels="none",
)


def halves(variables: jax.Array, images: jax.Array) -> jax.Array:
    """A layer whose descents can be followed by hand."""
    return variables * images.reshape(len(images), -1)


def problem(batch: int = 3) -> tuple[jax.Array, jax.Array, jax.Array]:
    targets = jax.random.uniform(jax.random.key(0), (batch, 4, 4, 3))
    return jnp.float32(0.5), halves(jnp.float32(0.5), targets), jnp.full(targets.shape, 0.7)


@given(steps=st.integers(1, 3000), every=st.integers(1, 100), count=st.integers(2, 20))
def test_frames_are_recorded_steps_from_the_start_on(steps: int, every: int, count: int) -> None:
    due = frame_steps(InversionConfig(steps=steps, record_every=every), count)
    assert due[0] == 0 and due == sorted(set(due)) and due[-1] < steps
    assert len(due) < count
    assert all(step % every == 0 for step in due)


def test_no_frames_unless_asked_for() -> None:
    assert frame_steps(CONFIG, 0) == []
    assert invert(halves, *problem(), CONFIG).frames is None
    for count in (1, -1):
        with pytest.raises(ValueError, match="at least 2"):
            frame_steps(CONFIG, count)


@pytest.mark.parametrize(("max_batch", "watched"), [(None, False), (2, True)])
def test_frames_show_the_descent_and_change_nothing(max_batch: int | None, watched: bool) -> None:
    settings = {"on_progress": (lambda _: None) if watched else None, "max_batch": max_batch}
    plain = invert(halves, *problem(), CONFIG, **settings)
    found = invert(halves, *problem(), CONFIG, frames=5, **settings)
    for name in ("images", "final_images", "objective", "best_step", "stopped_step"):
        np.testing.assert_array_equal(getattr(found, name), getattr(plain, name))
    np.testing.assert_array_equal(found.trajectory.objective, plain.trajectory.objective)
    frames = found.frames
    assert frames is not None
    assert frames.images.shape == (len(frames.step), 3, 4, 4, 3)
    assert frames.step[0] == 0 and frames.step[-1] == CONFIG.steps
    assert set(frames.step) <= set(found.trajectory.step)
    np.testing.assert_array_equal(frames.images[0], on_screen(problem()[2]))
    np.testing.assert_array_equal(frames.images[-1], on_screen(found.final_images))
    shorter = invert(halves, *problem(), CONFIG.replace(steps=int(frames.step[2])))
    np.testing.assert_array_equal(frames.images[2], on_screen(shorter.final_images))


def test_a_frame_is_of_the_step_that_it_is_labelled_with() -> None:
    """Marks may lie as far apart as the room for records reaches, and farther."""
    config = CONFIG.replace(steps=2560, record_every=10, objective="l1", learning_rate=2.5e-4)
    found = invert(halves, *problem(), config, frames=10)
    assert found.frames is not None
    marks = found.frames.step.tolist()
    assert 1280 in marks
    for mark in (640, 1280):
        last = invert(halves, *problem(), config.replace(steps=mark)).final_images
        np.testing.assert_array_equal(found.frames.images[marks.index(mark)], on_screen(last))


def leaves_at(config: InversionConfig, first: int, stop: int) -> int:
    """Where a call of the compiled loop comes to, from one step towards another."""
    step, records = first, 0
    while step < stop and step <= config.steps and records < RECORDS_PER_CALL:
        records += step % config.record_every == 0 or step == config.steps
        step += 1
    return step


@given(
    steps=st.integers(1, 1000), every=st.integers(1, 12), count=st.integers(2, 9),
    recorded=st.booleans(), short=st.booleans(), data=st.data(),
)  # fmt: skip
def test_every_call_ends_where_it_was_told_to(
    steps: int, every: int, count: int, recorded: bool, short: bool, data: st.DataObject
) -> None:
    """So what is looked at between two calls is the iterate of that step, also after a cut."""
    config = InversionConfig(steps=steps, record_every=every)
    first = data.draw(st.integers(0, steps))
    first -= first % every if recorded else 0
    marks = [mark for mark in frame_steps(config, count) if mark > first]
    times = data.draw(st.lists(st.floats(0, 1), min_size=20, max_size=20))
    clock = itertools.accumulate(itertools.cycle(times))
    missed, step = set(marks), first
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(batches, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
        for stop in itertools.islice(stops(config, first, marks, short=short), 10_000):
            assert leaves_at(config, step, stop) == stop > step
            step = stop
            missed.discard(step)
            if step == steps + 1:
                break
    assert step == steps + 1 and not missed


def test_frames_of_a_descent_that_stops_end_where_it_stopped() -> None:
    variables, target, start = problem()
    distance = np.asarray(jnp.linalg.norm(halves(variables, start) - target, axis=1))
    near = distance * np.array([0.5, 0.2, 1e-9])
    both = invert(halves, variables, target, start, CONFIG, stop_distance=near, frames=8)
    early = invert(
        halves, variables, target[:2], start[:2], CONFIG, stop_distance=near[:2], frames=8,
        max_batch=1,
    )  # fmt: skip
    assert set(np.asarray(early.status)) == {REACHED}
    assert both.frames is not None and early.frames is not None
    assert early.frames.step[-1] == early.trajectory.step[-1] < CONFIG.steps
    np.testing.assert_array_equal(early.frames.images[-1], both.frames.images[-1][:2])


def test_restarts_keep_their_axis_and_reach_the_run_folder(tmp_path) -> None:
    variables, _, start = problem(2)
    targets = jax.random.uniform(jax.random.key(0), start.shape)
    config = CONFIG.replace(restarts=2)
    starts = jnp.stack([start, start * 0.5])
    found = depthjax.autoencode(
        jax.random.key(1), halves, variables, targets, config, init=starts, frames=4
    )
    assert found.inversion.frames is not None
    assert found.inversion.frames.images.shape[1:] == (2, 2, 4, 4, 3)
    definition = {"layers": ["halves"], "images": ["one", "two"]}
    writer = start_run(tmp_path / "run", definition, targets, starts)
    writer.save_layer("halves", found)
    arrays = depthjax.load_run(tmp_path / "run").layers["halves"]
    np.testing.assert_array_equal(arrays["frames"], found.inversion.frames.images)
    np.testing.assert_array_equal(arrays["frame_step"], found.inversion.frames.step)


def test_what_is_not_finite_is_black() -> None:
    seen = on_screen(np.array([-1.0, 0.5, 2.0, np.nan, np.inf]))
    np.testing.assert_array_equal(seen, [0, 128, 255, 0, 255])
