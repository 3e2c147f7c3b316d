"""When an example stops: not finite, at a plateau, or near enough; and that no other does."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from linear_descents import (
    IMAGE,
    draw,
    example,
    leaves_close,
    leaves_equal,
    linear,
    matrix,
    oscillating,
    plain,
)

from depthjax import InversionConfig, Layer, invert
from depthjax.inversion.objectives import norms
from depthjax.inversion.state import NON_FINITE, PLATEAU, REACHED, RUNNING

# ----------------------------------------------------------------------------------------- stopping


def overflowing(variables: dict[str, Any], images: jax.Array) -> jax.Array:
    """Linear; NaN or infinite (as the weights have it) for images that have a pixel above 2."""
    bad = images.max((1, 2, 3)) > 2
    return jnp.where(bad[:, None], variables["bad"], linear(variables, images))


@pytest.mark.parametrize("bad", [np.inf, np.nan])
@pytest.mark.parametrize("objective", ["l2", "relative_squared_l2"])
def test_an_example_that_overflows_stops_alone(bad: float, objective: str, x64: None) -> None:
    variables = {**matrix(20), "bad": jnp.asarray(bad)}
    start = draw(3, *IMAGE)
    target = linear(variables, draw(3, *IMAGE, seed=1).at[1].add(5))  # on the way it passes 2
    config = plain(
        objective=objective, steps=60, record_every=1, learning_rate=0.3, optimizer="adam"
    )
    found = invert(overflowing, variables, target, start, config)
    np.testing.assert_array_equal(found.status, [RUNNING, NON_FINITE, RUNNING])
    stopped = int(found.stopped_step[1])
    assert 0 < stopped < 60
    np.testing.assert_array_equal(found.stopped_step, [60, stopped, 60])
    values = found.trajectory.objective[:, 1]
    assert np.isfinite(values[:stopped]).all()
    assert not np.isfinite(values[stopped])
    assert not np.isfinite(found.trajectory.embedding_distance[stopped, 1])
    assert np.isfinite(found.images).all()
    assert np.isfinite(found.final_images).all()
    assert found.images[1].max() <= 2
    assert found.objective[1] == values[:stopped].min()
    for b in (0, 2):
        one = slice(b, b + 1)
        alone = invert(overflowing, variables, target[one], start[one], config)
        leaves_close(example(found, b), alone, 1e-12)


def test_an_example_that_overflows_at_the_end_is_said_to(x64: None) -> None:
    """What the last step leads to is evaluated, too."""
    variables = {**matrix(20), "bad": jnp.asarray(np.inf)}
    start, target = draw(2, *IMAGE), linear(variables, draw(2, *IMAGE, seed=1).at[1].add(50))
    config = plain(objective="l2", steps=1, learning_rate=3.0, optimizer="adam")
    found = invert(overflowing, variables, target, start, config)
    first, last = found.trajectory.objective[0], found.trajectory.objective[-1]
    assert np.isfinite(first).all() and not np.isfinite(last).all()
    np.testing.assert_array_equal(found.status == NON_FINITE, ~np.isfinite(last))


def test_no_objective_of_minus_infinity_is_the_best(x64: None) -> None:
    variables = {**matrix(20), "bad": jnp.asarray(np.inf)}
    start, target = draw(2, *IMAGE), jnp.ones((2, 20))
    config = plain(objective="dot", steps=3, learning_rate=1e4, record_every=1)
    found = invert(overflowing, variables, target, start, config)
    assert np.isneginf(found.trajectory.objective).any() and np.isfinite(found.objective).all()
    assert (found.images.max((1, 2, 3)) <= 2).all() and (found.status == NON_FINITE).any()


def cracked(variables: dict[str, Any], images: jax.Array) -> jax.Array:
    """Linear; the gradient, not the value, is NaN for images that have a pixel below −1."""
    crack = jnp.sqrt(jnp.maximum(images + 1, 0)) - jnp.sqrt(jnp.maximum(images + 1, 0))
    return linear(variables, images + crack)


def test_a_gradient_that_is_not_finite_moves_nothing(x64: None) -> None:
    variables = matrix(20)
    start = draw(3, *IMAGE).at[2, 0, 1, 2].set(-1.5)
    target = linear(variables, draw(3, *IMAGE, seed=1))
    config = plain(steps=9, record_every=1, learning_rate=0.01)
    found = invert(cracked, variables, target, start, config)
    np.testing.assert_array_equal(found.status, [RUNNING, RUNNING, NON_FINITE])
    np.testing.assert_array_equal(found.stopped_step, [9, 9, 0])
    np.testing.assert_array_equal(found.images[2], start[2])
    np.testing.assert_array_equal(found.final_images[2], start[2])
    assert np.isfinite(found.objective).all()
    for b in range(2):
        one = slice(b, b + 1)
        alone = invert(cracked, variables, target[one], start[one], config)
        leaves_close(example(found, b), alone, 1e-12)


def test_all_examples_not_finite_ends_the_loop() -> None:
    variables, start = {**matrix(20), "bad": jnp.asarray(np.nan)}, draw(2, *IMAGE) + 3
    config = plain(steps=10**6, record_every=1)
    found = invert(overflowing, variables, draw(2, 20), start, config)
    np.testing.assert_array_equal(found.status, NON_FINITE)
    np.testing.assert_array_equal(found.trajectory.step, [0])
    np.testing.assert_array_equal(found.images, start)


def test_an_update_that_overflows_is_seen_though_pixels_are_clipped() -> None:
    variables = {"w": 1e12 * matrix(20)["w"]}
    start = 0.1 + 0.8 * draw(2, *IMAGE)
    target = linear(variables, start.at[0].add(0.1))  # the second is there
    config = plain(learning_rate=1e20, steps=5, pixels="clip")
    found = invert(linear, variables, target, start, config)
    np.testing.assert_array_equal(found.status, [NON_FINITE, RUNNING])
    np.testing.assert_array_equal(found.final_images, start)


@pytest.mark.parametrize("objective", ["dot", "l2"])
def test_an_objective_that_stays_as_it_is_is_a_plateau(objective: str) -> None:
    """Also where it is negative: there the smaller is farther from 0."""
    variables, image = matrix(20), draw(2, *IMAGE)
    target = linear(variables, image)
    config = InversionConfig(
        objective=objective, learning_rate=1e-9, pixels="none", steps=60, plateau=0.01, patience=5,
        record_every=10,
    )  # fmt: skip
    found = invert(linear, variables, target, image + 0.5, config, frames=3)
    assert (found.objective[0] < 0) == (objective == "dot")
    np.testing.assert_array_equal(found.status, PLATEAU)
    np.testing.assert_array_equal(found.stopped_step, 5)
    assert found.frames is not None and found.frames.step.tolist() == [0, 5]


def test_a_negative_objective_that_falls_goes_on() -> None:
    variables, image = matrix(20), draw(2, *IMAGE)
    config = plain(objective="dot", learning_rate=0.05, steps=20, plateau=0.001, patience=5)
    found = invert(linear, variables, linear(variables, image), image, config)
    np.testing.assert_array_equal(found.status, RUNNING)


def plateau_step(objective: np.ndarray, plateau: float, patience: int) -> int | None:
    """The step at which the last improvement by the fraction lies `patience` steps back."""
    best, since = np.inf, 0
    for step, value in enumerate(objective[:-1]):
        if value < best * (1 - plateau):
            best, since = value, step
        if step - since >= patience:
            return step
    return None


def test_a_plateau_stops_an_example_and_no_other(x64: None) -> None:
    variables = matrix(20)
    image = draw(3, *IMAGE)
    start = draw(3, *IMAGE, seed=1).at[0].set(image[0])  # the first is there from the start
    target = linear(variables, image)
    config = plain(learning_rate=0.01, steps=40, record_every=1)
    endless = invert(linear, variables, target, start, config)
    stopping = config.replace(plateau=0.05, patience=5)
    found = invert(linear, variables, target, start, stopping)
    np.testing.assert_array_equal(endless.status, RUNNING)
    np.testing.assert_array_equal(endless.stopped_step, 40)
    expected = [plateau_step(endless.trajectory.objective[:, b], 0.05, 5) for b in range(3)]
    assert expected == [5, None, None]
    np.testing.assert_array_equal(found.status, [PLATEAU, RUNNING, RUNNING])
    np.testing.assert_array_equal(found.stopped_step, [5, 40, 40])
    leaves_equal(example(endless, 1), example(found, 1))
    leaves_equal(example(endless, 2), example(found, 2))


def test_when_all_have_stopped_the_loop_ends(x64: None) -> None:
    variables, start, target, config = oscillating()
    config = config.replace(steps=300, plateau=0.02, patience=4)
    endless = invert(linear, variables, target, start, config.replace(plateau=0.0))
    found = invert(linear, variables, target, start, config)
    expected = [plateau_step(endless.trajectory.objective[:, b], 0.02, 4) for b in range(3)]
    assert None not in expected
    assert len(set(expected)) > 1
    np.testing.assert_array_equal(found.status, PLATEAU)
    np.testing.assert_array_equal(found.stopped_step, expected)
    last = max(step for step in expected if step is not None)
    np.testing.assert_array_equal(found.trajectory.step, np.arange(last + 1))
    for b, stop in enumerate(expected):
        # A stopped example stays where it was.
        values = found.trajectory.objective[:, b]
        leaves_equal(values[: stop + 1], endless.trajectory.objective[: stop + 1, b])
        np.testing.assert_array_equal(values[stop:], values[stop])
        assert found.best_step[b] <= stop
    rarely = invert(linear, variables, target, start, config.replace(record_every=7))
    assert last % 7
    np.testing.assert_array_equal(rarely.trajectory.step, np.arange(0, last + 7, 7))
    for b in range(3):  # each end has a record, whatever is beside it
        values = rarely.trajectory.objective[:, b]
        assert values[-1] == found.trajectory.objective[-1, b]
        one = slice(b, b + 1)
        alone = invert(linear, variables, target[one], start[one], config.replace(record_every=7))
        leaves_close(alone.trajectory.objective[-1, 0], values[-1], 1e-12)


# ------------------------------------------------------------------------------ near enough to stop


@pytest.mark.parametrize("every", [1, 3])
def test_an_example_near_enough_stops_and_no_other(
    every: int, network: Layer, weights: dict[str, Any]
) -> None:
    image, start = draw(3, 12, 12, 3), draw(3, 12, 12, 3, seed=1)
    target = network(weights, image)
    config = InversionConfig(steps=30, record_every=every)
    endless = invert(network, weights, target, start, config)
    distance = endless.trajectory.embedding_distance
    level = 0.5 * distance[0]
    level[1] = 0.0  # out of reach
    found = invert(network, weights, target, start, config, stop_distance=level)
    np.testing.assert_array_equal(found.status, [REACHED, RUNNING, REACHED])
    leaves_equal(example(endless, 1), example(found, 1))
    for b in (0, 2):
        first = int(np.argmax(distance[:, b] <= level[b]))
        assert first > 0
        stop = int(endless.trajectory.step[first])
        assert found.stopped_step[b] == found.best_step[b] == stop < 30
        leaves_equal(found.images[b], found.final_images[b])
        np.testing.assert_array_equal(found.objective[b], endless.trajectory.objective[first, b])
        recorded = found.trajectory.embedding_distance[:, b]
        leaves_equal(recorded[: first + 1], distance[: first + 1, b])
        np.testing.assert_array_equal(recorded[first:], recorded[first])
        np.testing.assert_allclose(
            norms(network(weights, found.images) - target)[b], recorded[first], rtol=1e-4
        )


def test_the_image_of_a_stopped_example_is_the_one_there() -> None:
    """Not an earlier one that happened to have a smaller objective, between two records."""
    variables, start, target, config = oscillating()
    distance = invert(linear, variables, target, start, config).trajectory.embedding_distance
    sparse = config.replace(record_every=7)
    level = distance[7 * 4] * 1.000001
    found = invert(linear, variables, target, start, sparse, stop_distance=level)
    for b in range(3):
        first = 7 * int(np.argmax(distance[::7, b] <= level[b]))
        assert distance[:first, b].min() < distance[first, b]  # or the test says nothing
        assert found.best_step[b] == found.stopped_step[b] == first
    np.testing.assert_allclose(
        norms(linear(variables, found.images) - target),
        found.trajectory.embedding_distance[-1],
        rtol=1e-5,
    )


def test_when_all_are_near_enough_the_loop_ends() -> None:
    variables, start, target, config = oscillating()
    config = config.replace(steps=300)
    at_once = invert(linear, variables, target, start, config, stop_distance=1e9)
    np.testing.assert_array_equal(at_once.status, REACHED)
    np.testing.assert_array_equal(at_once.trajectory.step, [0])
    leaves_equal(at_once.images, start)
    # Also where only the last step comes near enough.
    config = InversionConfig(steps=12, record_every=100)
    last = invert(linear, variables, target, start, config).trajectory.embedding_distance[-1]
    found = invert(linear, variables, target, start, config, stop_distance=last)
    np.testing.assert_array_equal(found.status, REACHED)
    np.testing.assert_array_equal(found.stopped_step, 12)


def test_where_to_stop_with_restarts_and_small_batches(
    network: Layer, weights: dict[str, Any]
) -> None:
    image, starts = draw(2, 12, 12, 3), draw(3, 2, 12, 12, 3, seed=1)
    target = network(weights, image)
    config = InversionConfig(steps=20, record_every=2)
    endless = invert(network, weights, target, starts, config)
    level = 0.6 * endless.trajectory.embedding_distance[0]  # [restarts, B]
    found = invert(network, weights, target, starts, config, stop_distance=level)
    assert found.status.shape == (3, 2)
    np.testing.assert_array_equal(found.status, REACHED)
    assert len(np.unique(found.stopped_step)) > 1
    split = invert(network, weights, target, starts, config, stop_distance=level, max_batch=2)
    np.testing.assert_array_equal(found.stopped_step, split.stopped_step)
    np.testing.assert_allclose(found.images, split.images, atol=1e-4)
    shared = invert(network, weights, target, starts, config, stop_distance=level[0])
    repeated = np.broadcast_to(level[0], level.shape)
    leaves_equal(shared, invert(network, weights, target, starts, config, stop_distance=repeated))


@pytest.mark.parametrize("shape", [(2,), (1, 3), (3, 1)])
def test_stop_distances_for_other_images(shape: tuple[int, ...]) -> None:
    variables, start, target, config = oscillating()
    with pytest.raises(ValueError, match=r"stop_distance is of shape .*, but there are 3 images;"):
        invert(linear, variables, target, start, config, stop_distance=np.ones(shape))
