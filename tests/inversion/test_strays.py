"""Descents that soft gates lead astray go back to their best images; others stay as they are."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import depthjax
from depthjax import InversionConfig, invert
from depthjax.inversion import strays
from depthjax.inversion.state import PLATEAU, RUNNING, State, initial_state
from depthjax.inversion.strays import HARDER, LOOK_EVERY, STRAY, bring_back

SHAPE = (2, 8, 8, 3)
SOFT = InversionConfig.fast(steps=3 * LOOK_EVERY, soft_gates=0.3)


def state_of(config: InversionConfig) -> State:
    """Far away, less far, where an objective has no sign, and stopped; all with a memory."""
    random = np.random.default_rng(0)
    images = jnp.asarray(random.uniform(0.1, 0.9, (4, 4, 4, 3)), jnp.float32)
    state = initial_state(config.structure, images)
    best = jnp.asarray([1.0, 1.0, -1.0, 1.0])
    return state._replace(
        images=images / 2,
        optimizer=jax.tree.map(lambda leaf: leaf + 1, state.optimizer),
        best_objective=best,
        objective=best * jnp.asarray([1.1 * STRAY, 0.9 * STRAY, 1.1 * STRAY, 1.1 * STRAY]),
        status=jnp.asarray([RUNNING, RUNNING, RUNNING, PLATEAU]),
    )


@pytest.mark.parametrize("parametrisation", ["", "sigmoid"])
def test_only_who_has_gone_astray_begins_again_at_its_best(parametrisation: str) -> None:
    config = SOFT.replace(parametrisation=parametrisation, fourier_decay=0.0)
    before, fresh = state_of(config), initial_state(config.structure, state_of(config).images)
    after = bring_back(config.structure, state_of(config))
    np.testing.assert_allclose(after.images[0], before.best_images[0], atol=1e-6)
    assert after.softness.tolist() == [HARDER, 1, 1, 1]
    assert after.objective[0] == before.best_objective[0]

    def check(old: Any, new: Any, at_first: Any) -> None:
        np.testing.assert_array_equal(new[1:], old[1:])
        np.testing.assert_array_equal(new[0], at_first[0])

    jax.tree.map(check, before.optimizer, after.optimizer, fresh.optimizer)
    np.testing.assert_array_equal(after.images[1:], before.images[1:])
    np.testing.assert_array_equal(after.best_images, before.best_images)


@pytest.fixture
def everything_strays(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if whoever is not ten times better than its best had gone astray."""
    monkeypatch.setattr(strays, "STRAY", 0.1)
    bring_back.clear_cache()
    yield
    bring_back.clear_cache()


def descent() -> tuple[Any, ...]:
    """A layer with gates, its weights, a target and a start."""
    model = depthjax.build_model("resnet18_small", width=4, stage_sizes=(1,), num_classes=3)
    variables = depthjax.init_variables(model, jax.random.key(0), 8)
    layer, images = depthjax.Layer(model, "layer1"), jax.random.uniform(jax.random.key(1), SHAPE)
    return layer, variables, layer(variables, images), jnp.full(SHAPE, 0.5)


def test_a_frame_shows_what_its_record_is_of(
    everything_strays: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also at a step at which descents go back to their best images."""
    steps = [0, LOOK_EVERY, 2 * LOOK_EVERY]
    monkeypatch.setattr("depthjax.inversion.invert.frame_steps", lambda *_: steps)
    layer, variables, target, start = descent()
    # A long step before the first look goes uphill.
    config = SOFT.replace(record_every=1, optimizer="sgd", learning_rate=3e3, trust_radius=0.0)
    found = invert(layer, variables, target, start, config, frames=len(steps))
    assert found.frames is not None
    for step, images in zip(found.frames.step, found.frames.images, strict=True):
        away = layer(variables, jnp.asarray(images, jnp.float32) / 255) - target
        distance = jnp.linalg.norm(away.reshape(len(target), -1), axis=1)
        (row,) = np.flatnonzero(found.trajectory.step == step)
        recorded = found.trajectory.embedding_distance[row]
        np.testing.assert_allclose(distance, recorded, rtol=0.02)


def test_calls_that_end_by_the_clock_change_nothing(everything_strays: None) -> None:
    """Strays are looked for at given steps, whenever the host looks, also after a cut."""
    long = invert(*descent(), SOFT)
    short = invert(*descent(), SOFT, on_progress=lambda _: None)
    np.testing.assert_array_equal(long.final_images, short.final_images)
    np.testing.assert_array_equal(long.trajectory.objective, short.trajectory.objective)
    hard = invert(*descent(), SOFT.replace(soft_gates=0.0))
    assert not np.array_equal(long.final_images, hard.final_images)


def test_a_descent_that_was_led_away_is_where_it_was_best(everything_strays: None) -> None:
    path = invert(*descent(), SOFT.replace(record_every=1)).trajectory.objective
    for look in (LOOK_EVERY, 2 * LOOK_EVERY):
        np.testing.assert_allclose(path[look], path[:look].min(0), rtol=1e-5)
