"""The compiled loop: what compiles it again, what it records, and which iterate is the best."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest
from linear_descents import IMAGE, draw, leaves_equal, linear, matrix, oscillating

import depthjax
from depthjax import InversionConfig, Layer, invert
from depthjax.inversion.loop import RECORDS_PER_CALL, descend
from depthjax.inversion.objectives import norms
from depthjax.inversion.results import Progress
from depthjax.inversion.state import RUNNING

# --------------------------------------------------------------------------------- what is compiled


def programs() -> int:
    return descend(None, np.float32)._cache_size()


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


# -------------------------------------------------------------------------------- records and bests


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
