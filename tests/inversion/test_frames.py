import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import depthjax
from depthjax.folders.run_writer import start_run
from depthjax.inversion.config import InversionConfig
from depthjax.inversion.frames import frame_steps, on_screen
from depthjax.inversion.invert import invert
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
