"""The descent: what it recovers, what it leaves alone, when it stops, what it compiles."""

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import depthjax
from depthjax import Inversion, InversionConfig, Layer, initial_images, invert, step_scale
from depthjax.inversion.invert import Progress
from depthjax.inversion.loop import NON_FINITE, PLATEAU, REACHED, RECORDS_PER_CALL, RUNNING, descend
from depthjax.inversion.objectives import OBJECTIVES, norms

KEY = jax.random.key(11)
IMAGE = (2, 2, 3)
PIXELS = 12


def linear(variables: dict[str, Any], images: jax.Array) -> jax.Array:
    return images.reshape(len(images), -1) @ variables["w"]


def draw(*shape: int, seed: int = 0, dtype: Any = None) -> jax.Array:
    """Pixels; float64 where it is enabled."""
    return jnp.asarray(np.random.default_rng(seed).random(shape), dtype or jnp.zeros(()).dtype)


def matrix(outputs: int, low: float = 1.0, high: float = 2.0, seed: int = 1) -> dict[str, Any]:
    """A matrix `[12, outputs]` whose singular values lie between low and high."""
    u, _, v = np.linalg.svd(
        np.random.default_rng(seed).normal(size=(PIXELS, outputs)), full_matrices=False
    )
    values = np.linspace(high, low, min(PIXELS, outputs))
    return {"w": jnp.asarray((u * values) @ v, jnp.zeros(()).dtype)}


def plain(**fields: Any) -> InversionConfig:
    """Gradient descent at a constant rate, pixels free."""
    recipe = {"optimizer": "sgd", "schedule": "constant", "objective": "squared_l2"}
    return InversionConfig(**(recipe | {"pixels": "none"} | fields))


def leaves_equal(one: Any, other: Any) -> None:
    """Bit for bit."""
    for x, y in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(x, y)


def leaves_close(one: Any, other: Any, tolerance: float) -> None:
    for x, y in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)


def example(found: Inversion, index: int) -> Inversion:
    """One example of a batch, still with its batch axis."""
    keep = slice(index, index + 1)
    trajectory = dataclasses.replace(
        found.trajectory,
        **{
            name: getattr(found.trajectory, name)[:, keep]
            for name in ("objective", "embedding_distance", "input_distance")
        },
    )
    rest = {
        field.name: getattr(found, field.name)[keep]
        for field in dataclasses.fields(found)
        if field.name not in ("trajectory", "split", "frames")
    }
    return Inversion(**rest, trajectory=trajectory, split=found.split)


@pytest.fixture(scope="module")
def network() -> Layer:
    model = depthjax.build_model(
        "resnet18", width=4, stage_sizes=(1, 1), stem="small", num_classes=5
    )
    return Layer(model, "layer2")


@pytest.fixture(scope="module")
def weights(network: Layer) -> dict[str, Any]:
    """Of the tiny ResNet, float32, BatchNorm statistics that do something."""
    variables = depthjax.init_variables(network.model, jax.random.key(0), 12)
    generator = np.random.default_rng(0)
    return jax.tree.map(
        lambda x: x + jnp.asarray(0.1 * generator.random(x.shape), x.dtype), variables
    )


def float64(variables: dict[str, Any]) -> dict[str, Any]:
    return jax.tree.map(lambda x: jnp.asarray(np.asarray(x), jnp.float64), variables)


# ------------------------------------------------------------------------------ what it recovers


def test_gradient_descent_recovers_what_a_full_rank_layer_keeps(x64: None) -> None:
    variables = matrix(20)
    image, start = draw(3, *IMAGE), draw(3, *IMAGE, seed=1)
    config = plain(steps=300, learning_rate=0.5, step_scale="layer")
    found = invert(linear, variables, linear(variables, image), start, config, compare_to=image)
    np.testing.assert_allclose(found.images, image, atol=1e-10)
    np.testing.assert_allclose(found.trajectory.input_distance[-1], 0, atol=1e-10)
    np.testing.assert_array_equal(found.status, RUNNING)


def test_the_default_recovers_it_too() -> None:
    variables = matrix(20)
    image, start = draw(2, *IMAGE), draw(2, *IMAGE, seed=1)
    found = invert(linear, variables, linear(variables, image), start, compare_to=image)
    np.testing.assert_allclose(found.images, image, atol=2e-3)
    assert (found.trajectory.input_distance[0] > 0.5).all()


@pytest.mark.parametrize("outputs", [1, 5, 11])
def test_gradient_descent_never_touches_the_null_space(outputs: int, x64: None) -> None:
    """What the layer forgets stays as it was in the start, and that is all that is missing."""
    variables = matrix(outputs)
    basis = np.linalg.qr(np.asarray(variables["w"]))[0]
    null = np.eye(PIXELS) - basis @ basis.T
    image, start = draw(2, *IMAGE), draw(2, *IMAGE, seed=1)
    config = plain(steps=400, learning_rate=0.5, step_scale="layer")
    found = invert(linear, variables, linear(variables, image), start, config, compare_to=image)
    moved = np.asarray(found.images - start).reshape(2, -1)
    assert np.abs(moved @ null).max() < 1e-13
    assert np.abs(moved).max() > 0.05
    missing = np.linalg.norm(np.asarray(image - start).reshape(2, -1) @ null, axis=1)
    np.testing.assert_allclose(found.trajectory.input_distance[-1], missing, rtol=1e-9)


# ---------------------------------------------------------------------- examples do not mix


def test_a_batch_is_its_images_one_by_one(
    network: Layer, weights: dict[str, Any], x64: None
) -> None:
    variables = float64(weights)
    config = InversionConfig.paper(steps=20, record_every=5, objective_scale=0.01)
    image, start = draw(3, 12, 12, 3), draw(3, 12, 12, 3, seed=1)
    target = network(variables, image)
    together = invert(network, variables, target, start, config, compare_to=image)
    assert together.images.shape == image.shape
    for b in range(3):
        one = slice(b, b + 1)
        alone = invert(network, variables, target[one], start[one], config, compare_to=image[one])
        leaves_close(example(together, b), alone, 1e-8)
    # Each has moved, and to another place.
    assert (norms(together.final_images - start) > 0.1).all()
    assert (np.diff(together.objective) != 0).all()


def test_restarts_are_descents_of_their_own(
    network: Layer, weights: dict[str, Any], x64: None
) -> None:
    """Adam, and every image of every restart by itself."""
    variables = float64(weights)
    config = InversionConfig(steps=20, record_every=5, restarts=2, pixels="none")
    image = draw(3, 12, 12, 3)
    target = network(variables, image)
    starts = initial_images(KEY, image.shape, config, dtype=image.dtype)
    together = invert(network, variables, target, starts, config, compare_to=image)
    assert together.images.shape == (2, *image.shape)
    assert together.trajectory.objective.shape == (5, 2, 3)
    assert together.status.shape == together.best_step.shape == (2, 3)
    for restart, b in np.ndindex(2, 3):
        one = slice(b, b + 1)
        alone = invert(
            network, variables, target[one], starts[restart, one], config, compare_to=image[one]
        )
        for name in ("images", "final_images", "objective"):
            ours = getattr(together, name)[restart, b]
            np.testing.assert_allclose(ours, getattr(alone, name)[0], atol=1e-8)
        for name in ("objective", "embedding_distance", "input_distance"):
            values = getattr(together.trajectory, name)[:, restart, b]
            np.testing.assert_allclose(values, getattr(alone.trajectory, name)[:, 0], rtol=1e-8)
    assert len({np.asarray(image).tobytes() for image in together.images.reshape(6, -1)}) == 6


@pytest.mark.parametrize(
    ("optimizer", "options"),
    [("lamb", {}), ("adafactor", {"min_dim_size_to_factor": 2})],
)
def test_optimisers_that_look_at_norms_see_one_example(
    optimizer: str, options: dict[str, Any], x64: None
) -> None:
    variables = matrix(20)
    start = draw(3, *IMAGE) * jnp.array([1.0, 10.0, 0.1])[:, None, None, None]
    target = linear(variables, draw(3, *IMAGE, seed=1))
    config = plain(steps=5, optimizer=optimizer, optimizer_options=options, record_every=1)
    together = invert(linear, variables, target, start, config)
    for b in range(3):
        one = slice(b, b + 1)
        alone = invert(linear, variables, target[one], start[one], config)
        leaves_close(example(together, b), alone, 1e-11)


# ------------------------------------------------------------------------- the same every time


def test_bit_for_bit_repeatable_also_when_watched(network: Layer, weights: dict[str, Any]) -> None:
    config = InversionConfig.paper(steps=60, record_every=2)
    image, start = draw(2, 12, 12, 3), draw(2, 12, 12, 3, seed=1)
    target = network(weights, image)
    first, again = (
        invert(network, weights, target, start, config, compare_to=image) for _ in range(2)
    )
    leaves_equal(first, again)
    calls: list[Progress] = []
    watched = invert(
        network, weights, target, start, config, compare_to=image, on_progress=calls.append
    )
    assert len(calls) > 2
    leaves_equal(first, watched)


def test_what_it_is_compared_to_has_no_part_in_it(network: Layer, weights: dict[str, Any]) -> None:
    config = InversionConfig.paper(steps=60, record_every=2)
    image, start = draw(2, 12, 12, 3), draw(2, 12, 12, 3, seed=1)
    target = network(weights, image)
    compared = invert(network, weights, target, start, config, compare_to=image)
    other = invert(network, weights, target, start, config, compare_to=start)
    blind = invert(network, weights, target, start, config)
    for found in (other, blind):
        for name in ("images", "final_images", "objective", "best_step", "stopped_step"):
            leaves_equal(getattr(found, name), getattr(compared, name))
        leaves_equal(found.trajectory.objective, compared.trajectory.objective)
    assert np.isnan(blind.trajectory.input_distance).all()
    np.testing.assert_array_equal(other.trajectory.input_distance[0], 0)
    np.testing.assert_allclose(
        compared.trajectory.input_distance[-1], norms(compared.final_images - image), rtol=1e-5
    )


def test_the_start_is_still_there_afterwards() -> None:
    variables, start = matrix(7), draw(2, *IMAGE)
    kept = np.array(start)
    target = linear(variables, draw(2, *IMAGE, seed=1))
    for init in (start, jnp.stack([start, start])):
        copy = np.array(init)
        invert(linear, variables, target, init, plain(steps=3))
        assert not init.is_deleted()
        np.testing.assert_array_equal(init, copy)
    np.testing.assert_array_equal(start, kept)
    np.testing.assert_array_equal(target, linear(variables, draw(2, *IMAGE, seed=1)))


# ------------------------------------------------------------------------- what is compiled


def programs() -> int:
    return descend()._cache_size()


def test_numbers_do_not_compile_again() -> None:
    traces = 0

    def counted(variables: dict[str, Any], images: jax.Array) -> jax.Array:
        nonlocal traces
        traces += 1
        return linear(variables, images)

    variables, start = matrix(7), draw(2, *IMAGE)
    target = linear(variables, draw(2, *IMAGE, seed=1))
    config = InversionConfig.paper(steps=7)
    before = programs()
    invert(counted, variables, target, start, config)
    assert programs() == before + 1
    once = traces
    for fields in (
        {"learning_rate": 0.01}, {"final_learning_rate": 0.3}, {"objective_scale": 2.0},
        {"steps": 9}, {"record_every": 3}, {"blur_sigma": 1.0}, {"final_blur_sigma": 2.0},
        {"penalty_weight": 3.0}, {"plateau": 0.1}, {"patience": 2}, {"start": "flat"},
        {"restarts": 3}, {"start_mean": 0.1, "start_std": 0.3},
    ):  # fmt: skip
        invert(counted, variables, target, start, config.replace(**fields))
        assert programs() == before + 1, fields
    invert(counted, {"w": 2 * variables["w"]}, target + 1, start + 1, config)
    invert(counted, variables, target, start, config, on_progress=lambda progress: None)
    invert(counted, variables, target, start, config.replace(step_scale="layer"))
    invert(counted, variables, target, start, config, stop_distance=0.1)
    invert(counted, variables, target, start, config, stop_distance=np.array([0.1, 0.2]))
    assert programs() == before + 1
    # Nor does anything else trace the layer anew, but for a look at its shapes and step_scale.
    assert traces <= once + 20


def test_structure_compiles_once_each() -> None:
    def layer(variables: dict[str, Any], images: jax.Array) -> jax.Array:
        return linear(variables, images)

    variables, start = matrix(7), draw(2, *IMAGE)
    target = linear(variables, draw(2, *IMAGE, seed=1))
    config = InversionConfig(steps=2)
    before = programs()
    changes: list[dict[str, Any]] = [{}, {"schedule": "linear"}, {"optimizer_options": {"b1": 0.5}}]
    for _ in range(2):
        for fields in changes:
            invert(layer, variables, target, start, config.replace(**fields))
    assert programs() == before + len(changes)


def test_equal_layers_share_a_program() -> None:
    def layer() -> Layer:
        return Layer(depthjax.build_model("mlp", widths=[7, 5], channels=3), "fc1")

    variables = depthjax.init_variables(layer().model, jax.random.key(0), (2, 2))
    start = draw(2, *IMAGE)
    target = layer()(variables, draw(2, *IMAGE, seed=1))
    before = programs()
    for _ in range(3):
        invert(layer(), variables, target, start, InversionConfig(steps=2))
    assert programs() == before + 1


# --------------------------------------------------------------------------- records and bests


def oscillating() -> tuple[dict[str, Any], jax.Array, jax.Array, InversionConfig]:
    """A descent of constant steps on a distance: it overshoots, up and down."""
    variables = matrix(20)
    start = draw(3, *IMAGE)
    target = linear(variables, draw(3, *IMAGE, seed=1))
    config = plain(objective="l2", learning_rate=0.2, record_every=1)
    return variables, start, target, config


def test_the_best_iterate_is_returned(x64: None) -> None:
    variables, start, target, config = oscillating()
    found = invert(linear, variables, target, start, config.replace(steps=41))
    objective = found.trajectory.objective
    np.testing.assert_array_equal(found.objective, objective.min(0))
    np.testing.assert_array_equal(found.best_step, objective.argmin(0))
    assert (found.best_step < 41).all()  # so that best and last differ
    assert (found.objective < objective[-1]).all()
    np.testing.assert_allclose(
        norms(linear(variables, found.images) - target), found.objective, rtol=1e-12
    )
    np.testing.assert_allclose(
        norms(linear(variables, found.final_images) - target), objective[-1], rtol=1e-12
    )
    np.testing.assert_array_equal(found.trajectory.embedding_distance, objective)
    np.testing.assert_array_equal(found.stopped_step, 41)


def test_the_best_iterate_does_not_depend_on_what_is_recorded() -> None:
    variables, start, target, config = oscillating()
    often, rarely = (
        invert(linear, variables, target, start, config.replace(steps=41, record_every=every))
        for every in (1, 40)
    )
    for name in ("images", "final_images", "objective", "best_step"):
        leaves_equal(getattr(often, name), getattr(rarely, name))
    leaves_equal(often.trajectory.objective[[0, 40, 41]], rarely.trajectory.objective)


@pytest.mark.parametrize(
    ("steps", "every"),
    [
        (1, 1), (20, 1), (20, 7), (20, 50), (21, 7), (3, 10**8),
        (RECORDS_PER_CALL - 1, 1), (RECORDS_PER_CALL, 1), (200, 1),
        (2 * RECORDS_PER_CALL - 1, 2), (2 * RECORDS_PER_CALL, 2),
        (10 * RECORDS_PER_CALL - 1, 10), (3 * RECORDS_PER_CALL - 2, 3),
    ],
)  # fmt: skip
@pytest.mark.parametrize("watched", [False, True], ids=["alone", "watched"])
def test_records_at_every_multiple_and_at_the_end(steps: int, every: int, watched: bool) -> None:
    variables, start, target, config = oscillating()
    config = config.replace(steps=steps, record_every=every)
    watch: Callable[[Progress], None] | None = (lambda progress: None) if watched else None
    found = invert(linear, variables, target, start, config, on_progress=watch)
    expected = sorted({*range(0, steps + 1, every), steps})
    np.testing.assert_array_equal(found.trajectory.step, expected)
    assert found.trajectory.objective.shape == (len(expected), 3)
    np.testing.assert_array_equal(found.stopped_step, steps)
    np.testing.assert_array_equal(found.status, RUNNING)
    np.testing.assert_allclose(
        norms(linear(variables, found.final_images) - target),
        found.trajectory.objective[-1],
        rtol=1e-4,
    )


def test_progress_is_told_in_order_and_to_the_end() -> None:
    variables, start, target, config = oscillating()
    for steps, every in ((300, 1), (639, 10)):
        calls: list[Progress] = []
        config = config.replace(steps=steps, record_every=every)
        found = invert(linear, variables, target, start, config, on_progress=calls.append)
        told = [call.step for call in calls]
        assert told == sorted(set(told))
        assert told[0] == 1
        assert told[-1] == steps
        assert {call.steps for call in calls} == {steps}
        np.testing.assert_array_equal(
            calls[-1].embedding_distance, found.trajectory.embedding_distance[-1]
        )
        assert all(call.embedding_distance.shape == (3,) for call in calls)


# ---------------------------------------------------------------------------------- schedules


def total(variables: dict[str, Any], images: jax.Array) -> jax.Array:
    return images.reshape(len(images), -1).sum(1, keepdims=True)


SCHEDULES: dict[str, Callable[[np.ndarray, float, float], np.ndarray]] = {
    "constant": lambda f, first, last: np.full_like(f, first),
    "linear": lambda f, first, last: first + (last - first) * f,
    "cosine": lambda f, first, last: last + (first - last) * (1 + np.cos(np.pi * f)) / 2,
}


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(("first", "last"), [(0.3, 0.01), (0.01, 0.3)])
def test_the_rate_at_every_step(schedule: str, first: float, last: float, x64: None) -> None:
    """The gradient of `|1000 − Σ pixels|` is −1 everywhere: a step adds the rate to each pixel."""
    config = plain(
        steps=12,
        record_every=1,
        objective="l1",
        schedule=schedule,
        learning_rate=first,
        final_learning_rate=last,
    )
    start = draw(1, *IMAGE)
    found = invert(total, {}, jnp.full((1, 1), 1000.0), start, config)
    rates = -np.diff(found.trajectory.embedding_distance[:, 0]) / PIXELS
    np.testing.assert_allclose(rates, SCHEDULES[schedule](np.arange(12) / 12, first, last))
    np.testing.assert_allclose(found.final_images - start, rates.sum(), rtol=1e-9)


# ----------------------------------------------------------------------------- stopping


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


# ------------------------------------------------------------------------ near enough to stop


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


# ------------------------------------------------------------------------------------- pixels


def identity(variables: dict[str, Any], images: jax.Array) -> jax.Array:
    return images


def test_clipping_keeps_every_iterate_in_the_box(x64: None) -> None:
    """For the identity the nearest image in the box is the clipped target."""
    image, start = draw(2, *IMAGE) * 4 - 1.5, draw(2, *IMAGE, seed=1) * 3 - 1
    assert InversionConfig().pixels == "clip"  # the default
    found = invert(identity, {}, image, start, InversionConfig(steps=200, learning_rate=0.1))
    np.testing.assert_allclose(found.images, jnp.clip(image, 0, 1), atol=1e-3)
    for images in (found.images, found.final_images):
        assert images.min() == 0
        assert images.max() == 1


@pytest.mark.parametrize("weight", [0.0, 1.0, 4.0])
def test_the_penalty_pulls_towards_the_box(weight: float, x64: None) -> None:
    """The minimum of `(x − t)² + w·(x − 1)²` for t > 1 is `(t + w) / (1 + w)`."""
    image = jnp.full((1, *IMAGE), 1.5).at[0, 0, 0, 0].set(-0.5).at[0, 1, 1, 1].set(0.3)
    config = plain(steps=200, learning_rate=0.1, pixels="penalty", penalty_weight=weight)
    found = invert(identity, {}, image, jnp.full((1, *IMAGE), 0.5), config)
    nearest = np.clip(np.asarray(image), 0, 1)
    np.testing.assert_allclose(found.images, (image + weight * nearest) / (1 + weight), atol=1e-9)
    expected = (1 / (1 + 1 / weight) if weight else 0) * np.square(image - nearest).sum()
    np.testing.assert_allclose(found.objective, expected, atol=1e-9)


# --------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("init", "target", "compare_to", "sides"),
    [
        ((2, 2, 3), (2, 7), None, ["(2, 2, 3)", "batch, height, width, channels"]),
        ((1, 1, 2, 2, 2, 3), (2, 7), None, ["(1, 1, 2, 2, 2, 3)", "batch, height"]),
        ((2, *IMAGE), (3, 7), None, ["2 images", "(3, 7)"]),
        ((5, 2, *IMAGE), (5, 7), None, ["2 images", "(5, 7)"]),
        ((2, *IMAGE), (2, 6), None, ["(7,)", "(6,)", "(2, 2, 3)"]),
        ((2, *IMAGE), (2, 7, 1), None, ["(7,)", "(7, 1)"]),
        ((2, *IMAGE), (2, 7), (3, *IMAGE), ["2 images", "3 images"]),
        ((2, *IMAGE), (2, 7), (2, 2, 4, 3), ["(2, 4, 3)", "(2, 2, 3)"]),
        ((2, *IMAGE), (2, 7), (2, 1, 1, 3), ["(1, 1, 3)", "(2, 2, 3)"]),
        ((4, 2, *IMAGE), (2, 7), (2, 1, 1, 1), ["(1, 1, 1)", "(2, 2, 3)"]),
    ],
    ids=str,
)
def test_shapes_that_do_not_belong_together(
    init: tuple, target: tuple, compare_to: tuple | None, sides: list[str]
) -> None:
    call = inspect.unwrap(invert)  # without the checks of annotations, which tests alone have
    with pytest.raises(ValueError) as error:  # noqa: PT011
        call(
            linear,
            matrix(7),
            jnp.zeros(target),
            jnp.zeros(init),
            InversionConfig(steps=1),
            compare_to=None if compare_to is None else jnp.zeros(compare_to),
        )
    text = str(error.value)
    assert "\n" not in text
    for side in sides:
        assert side in text


# ---------------------------------------------------------------------------------- step scale


def gradient_by_hand(objective: str, r: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Of the objective with respect to the embedding, for one example."""
    size = np.linalg.norm
    return {
        "l1": np.sign(r),
        "l2": r / size(r),
        "squared_l2": 2 * r,
        "relative_l2": r / size(r) / size(t),
        "relative_squared_l2": 2 * r / size(t) ** 2,
    }[objective]


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("c", [1.0, 0.15])
def test_the_step_scale_is_the_best_first_step(objective: str, c: float, x64: None) -> None:
    variables = matrix(7, 0.1, 5.0)
    start = draw(3, *IMAGE)
    target = linear(variables, draw(3, *IMAGE, seed=1))
    ours = step_scale(linear, variables, start, target, objective=objective, objective_scale=c)
    assert ours.shape == (3,)
    assert (ours > 0).all()
    w = np.asarray(variables["w"])
    for b in range(3):
        t = np.asarray(target[b])
        r = np.asarray(start[b]).ravel() @ w - t
        change = w.T @ (w @ (c * gradient_by_hand(objective, r, t)))
        np.testing.assert_allclose(ours[b], r @ change / (change @ change), rtol=1e-10)
        best = np.linalg.norm(r - ours[b] * change)
        for factor in (0.9, 1.1):
            assert np.linalg.norm(r - factor * ours[b] * change) > best
    # Neither the objective nor its scale changes where that step leads, but for the direction.
    if objective != "l1":
        plain = step_scale(linear, variables, start, target, objective="squared_l2")
        w_r = np.asarray(linear(variables, start) - target) @ w.T
        for b in range(3):
            r, t = np.asarray(linear(variables, start) - target)[b], np.asarray(target[b])
            step = ours[b] * (w @ (c * gradient_by_hand(objective, r, t)))
            np.testing.assert_allclose(step, plain[b] * 2 * w_r[b], rtol=1e-9)


def test_the_step_scale_is_one_where_there_is_no_gradient() -> None:
    variables, start = matrix(7), draw(3, *IMAGE)
    target = linear(variables, start).at[1].add(1)
    for objective in OBJECTIVES:
        ours = step_scale(linear, variables, start, target, objective=objective)
        np.testing.assert_array_equal(ours[jnp.array([0, 2])], 1)
        assert ours[1] != 1
    dead = step_scale(linear, {"w": jnp.zeros((PIXELS, 7))}, start, target)
    np.testing.assert_array_equal(dead, 1)


def test_the_step_scale_cannot_see_the_target_image() -> None:
    assert list(inspect.signature(step_scale).parameters) == [
        "layer", "variables", "start", "target_embedding", "objective", "objective_scale",
    ]  # fmt: skip


def test_the_step_scale_is_a_factor_of_the_rate(x64: None) -> None:
    variables = matrix(7, 0.1, 5.0)
    start = draw(2, 3, *IMAGE)
    target = linear(variables, draw(3, *IMAGE, seed=1))
    config = plain(steps=1, learning_rate=0.3, step_scale="layer")
    found = invert(linear, variables, target, start, config)
    for restart in range(2):
        scale = step_scale(linear, variables, start[restart], target, objective="squared_l2")
        residual = linear(variables, start[restart]) - target
        gradient = (2 * residual @ variables["w"].T).reshape(3, *IMAGE)
        step = 0.3 * scale[:, None, None, None] * gradient
        np.testing.assert_allclose(found.final_images[restart], start[restart] - step, rtol=1e-10)


def test_the_step_scale_tames_a_layer_that_makes_a_fixed_rate_diverge() -> None:
    variables = matrix(20, 30.0, 60.0)
    start = draw(2, *IMAGE)
    target = linear(variables, draw(2, *IMAGE, seed=1))
    fixed = plain(steps=200, learning_rate=0.1, record_every=1)
    wild = invert(linear, variables, target, start, fixed)
    np.testing.assert_array_equal(wild.status, NON_FINITE)
    np.testing.assert_array_equal(wild.best_step, 0)
    tame = invert(linear, variables, target, start, fixed.replace(step_scale="layer"))
    np.testing.assert_array_equal(tame.status, RUNNING)
    objective = tame.trajectory.objective
    assert (np.diff(objective[:20], axis=0) < 0).all()
    assert (objective[-1] < 1e-2 * objective[0]).all()


# ----------------------------------------------------------------------------------- precision


@pytest.mark.parametrize(
    ("precision", "expected"),
    [("float32", "highest"), ("tf32", "tensorfloat32"), ("bfloat16", "bfloat16")],
)
def test_the_precision_of_the_descent(precision: str, expected: str) -> None:
    """Whatever the precision is outside, where a layer is only asked for its shapes."""
    seen: set[str | None] = set()

    def layer(variables: dict[str, Any], images: jax.Array) -> jax.Array:
        seen.add(jax.config.jax_default_matmul_precision)
        return linear(variables, images)

    variables, start, target = matrix(7), draw(2, *IMAGE), draw(2, 7)
    with jax.default_matmul_precision("high"):
        invert(layer, variables, target, start, InversionConfig(steps=1, precision=precision))
        assert seen == {expected, "high"}
        seen.clear()
        step_scale(layer, variables, start, target)
        assert seen == {"highest"}


@pytest.mark.parametrize("step_scale", ["fixed", "layer"])
def test_float64_weights_with_a_float32_start(step_scale: str) -> None:
    """The descent stays in the dtype of its start, whatever the weights are."""
    with jax.enable_x64(True):
        weights = {"w": jnp.asarray(np.random.default_rng(0).normal(size=(12, 7)))}

        def project(variables: dict, images: jnp.ndarray) -> jnp.ndarray:
            return images.reshape(len(images), -1) @ variables["w"]

        start = jnp.full((2, 2, 2, 3), 0.5, jnp.float32)
        target = project(weights, start + 0.1)
        config = InversionConfig(steps=5, step_scale=step_scale)
        found = invert(project, weights, target, start, config)
        assert target.dtype == jnp.float64
        assert found.images.dtype == jnp.float32
        assert (found.images != start).any()


def test_numpy_counts_are_counts() -> None:
    config = InversionConfig(steps=np.int64(3))
    assert type(config.steps) is int
    with pytest.raises(ValueError, match="steps must be"):
        InversionConfig(steps=True)
