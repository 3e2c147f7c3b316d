"""Results of parts become one: every example once, and nothing that stopped early moves again."""

import jax.numpy as jnp
import numpy as np
import pytest

from depthjax import Inversion
from depthjax.devices.sharding import Split
from depthjax.inversion.frames import Frames
from depthjax.inversion.results import Trajectory, join_batches, reshape_examples


def batch_of(examples: np.ndarray, steps: list[int], *, frames: bool = True) -> Inversion:
    """A result whose every number tells the example, and whose records tell the step as well."""
    step = np.array(steps)
    rows = np.add.outer(step * 100.0, examples).astype(np.float32)
    images = jnp.asarray(examples, jnp.float32)[:, None, None, None] * jnp.ones((1, 2, 3, 1))
    pictures = np.tile(rows[:, :, None, None, None].astype(np.uint8), (1, 1, 2, 3, 1))
    each = jnp.asarray(examples)
    trajectory = Trajectory(step, rows, rows + 1, rows + 2)
    return Inversion(
        images, images, each * 1.0, each, each, each, trajectory, Split(1, 2, 2),
        Frames(step, pictures) if frames else None,
    )  # fmt: skip


@pytest.mark.parametrize("frames", [True, False])
def test_batches_join_with_every_example_once(frames: bool) -> None:
    groups = [np.array([0, 1]), np.array([2, 0])]  # the last begins again with the first
    steps = [[0, 1], [0, 1, 2]]
    parts = [batch_of(group, at, frames=frames) for group, at in zip(groups, steps, strict=True)]
    joined = join_batches(parts, groups)
    np.testing.assert_array_equal(joined.best_step, [0, 1, 2])
    np.testing.assert_array_equal(joined.images[:, 0, 0, 0], [0, 1, 2])
    np.testing.assert_array_equal(joined.trajectory.step, [0, 1, 2])
    expected = [[0, 1, 2], [100, 101, 102], [100, 101, 202]]  # those of batch 0 stopped at step 1
    np.testing.assert_array_equal(joined.trajectory.objective, expected)
    np.testing.assert_array_equal(joined.trajectory.input_distance, np.array(expected) + 2)
    if frames:
        assert joined.frames is not None
        np.testing.assert_array_equal(joined.frames.images[:, :, 0, 0, 0], expected)
    else:
        assert joined.frames is None


def test_one_batch_without_repetition_is_the_result() -> None:
    part = batch_of(np.arange(2), [0, 1])
    assert join_batches([part], [np.arange(2)]) is part


@pytest.mark.parametrize("leading", [(6,), (3, 2), (2, 3)])
def test_restarts_become_an_axis_before_the_images(leading: tuple[int, ...]) -> None:
    shaped = reshape_examples(batch_of(np.arange(6), [0, 4]), leading)
    for name, array in shaped.per_example.items():
        assert array.shape[: len(leading)] == leading, name
    np.testing.assert_array_equal(shaped.status, np.arange(6).reshape(leading))
    assert shaped.trajectory.objective.shape == (2, *leading)
    assert shaped.frames is not None and shaped.frames.images.shape == (2, *leading, 2, 3, 1)
    np.testing.assert_array_equal(shaped.trajectory.step, [0, 4])
