"""The best first step: what it is, and what it does to a descent."""

import inspect

import jax.numpy as jnp
import numpy as np
import pytest
from linear_descents import IMAGE, PIXELS, draw, linear, matrix, plain

from depthjax import invert, step_scale, term
from depthjax.inversion.state import NON_FINITE, RUNNING
from depthjax.inversion.step_scale import step_scale_of

OF_RESIDUAL = ("l1", "l2", "squared_l2", "relative_l2", "relative_squared_l2")


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


@pytest.mark.parametrize("objective", OF_RESIDUAL)
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
    for objective in OF_RESIDUAL:
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


def test_another_weight_compiles_nothing_again(x64: None) -> None:
    variables, start = matrix(7, 0.1, 5.0), draw(3, *IMAGE)
    target = linear(variables, draw(3, *IMAGE, seed=1))
    both = [
        step_scale(linear, variables, start, target, objective=weight * term("l2") + term("l1"))
        for weight in (0.5, 2.0)
    ]
    assert not np.allclose(*both)
    compiled = step_scale_of._cache_size()
    step_scale(linear, variables, start, target, objective=3 * term("l2") + term("l1"))
    assert step_scale_of._cache_size() == compiled
