"""Objectives against NumPy; their gradients where a residual vanishes."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthjax.inversion.objectives import OBJECTIVES, base_objective, norms, objective_weight

BY_HAND: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {  # of one residual and target
    "l1": lambda r, t: np.abs(r).sum(),
    "l2": lambda r, t: np.sqrt((r**2).sum()),
    "squared_l2": lambda r, t: (r**2).sum(),
    "relative_l2": lambda r, t: np.sqrt((r**2).sum()) / np.sqrt((t**2).sum()),
    "relative_squared_l2": lambda r, t: (r**2).sum() / (t**2).sum(),
}
RELATIVE = tuple(name for name, known in OBJECTIVES.items() if known.is_relative)
shapes = st.sampled_from(
    [(1,), (4,), (1, 1), (3, 5), (2, 3, 4), (5, 1, 2), (2, 3, 1, 4), (1, 2, 2, 3)]
)
"""Embeddings have any rank; each shape compiles by itself, so there are few."""


def objective(name: str, embedding: jax.Array, target: jax.Array, c: float = 1.0) -> jax.Array:
    """What `invert` minimises, one number for each example."""
    weight = objective_weight(name, target, jnp.asarray(c, target.dtype))
    return weight * base_objective(name, embedding - target)


def draw(shape: tuple[int, ...], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_every_objective_is_tested() -> None:
    assert set(OBJECTIVES) == set(BY_HAND)


@pytest.mark.parametrize("name", OBJECTIVES)
@settings(max_examples=12, deadline=None)
@given(shape=shapes, seed=st.integers(0, 99), c=st.floats(0.01, 100))
def test_each_is_what_it_says(name: str, shape: tuple[int, ...], seed: int, c: float) -> None:
    embedding, target = draw(shape, seed), draw(shape, seed + 100)
    ours = objective(name, jnp.asarray(embedding), jnp.asarray(target), c)
    expected = [
        c * BY_HAND[name](e - t, t)
        for e, t in zip(embedding.astype(float), target.astype(float), strict=True)
    ]
    assert ours.shape == shape[:1]
    assert ours.dtype == jnp.float32
    np.testing.assert_allclose(ours, expected, rtol=2e-5)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_gradient_vanishes_where_the_embedding_is_reached(name: str) -> None:
    target = jnp.asarray(draw((3, 4, 2), 0))
    embedding = target.at[1].add(0.5)  # the others are reached
    values, gradient = jax.vmap(
        lambda e, t: jax.value_and_grad(lambda e: objective(name, e[None], t[None])[0])(e)
    )(embedding, target)
    np.testing.assert_array_equal(values[jnp.array([0, 2])], 0)
    np.testing.assert_array_equal(gradient[jnp.array([0, 2])], 0)
    assert np.isfinite(gradient).all()
    assert (gradient[1] != 0).all()


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_gradient_is_that_of_the_formula(name: str, x64: None) -> None:
    target, embedding = (jnp.asarray(draw((2, 3), seed), jnp.float64) for seed in (0, 1))
    gradient = jax.grad(lambda e: objective(name, e, target, 0.3).sum())(embedding)
    h = 1e-6
    for index in np.ndindex(2, 3):
        ahead = objective(name, embedding.at[index].add(h), target, 0.3).sum()
        behind = objective(name, embedding.at[index].add(-h), target, 0.3).sum()
        np.testing.assert_allclose(gradient[index], (ahead - behind) / (2 * h), rtol=1e-7)


@pytest.mark.parametrize("name", RELATIVE)
@pytest.mark.parametrize("factor", [1e-3, 0.5, 100.0])
def test_relative_objectives_ignore_the_scale(name: str, factor: float) -> None:
    embedding, target = jnp.asarray(draw((4, 6), 0)), jnp.asarray(draw((4, 6), 1))
    scaled = objective(name, factor * embedding, factor * target)
    np.testing.assert_allclose(scaled, objective(name, embedding, target), rtol=1e-5)


@pytest.mark.parametrize("name", ["l1", "l2", "squared_l2"])
def test_absolute_objectives_do_not(name: str) -> None:
    embedding, target = jnp.asarray(draw((4, 6), 0)), jnp.asarray(draw((4, 6), 1))
    power = 2 if "squared" in name else 1
    scaled = objective(name, 3 * embedding, 3 * target)
    np.testing.assert_allclose(scaled, 3**power * objective(name, embedding, target), rtol=1e-5)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_target_of_zeros_leaves_the_absolute_distance(name: str) -> None:
    embedding = jnp.asarray(draw((2, 5), 0))
    target = jnp.asarray(draw((2, 5), 1)).at[0].set(0)
    ours = objective(name, embedding, target, 0.7)
    absolute = objective(name.removeprefix("relative_"), embedding, target, 0.7)
    assert np.isfinite(ours).all()
    np.testing.assert_allclose(ours[0], absolute[0], rtol=1e-6)
    assert np.isfinite(jax.grad(lambda e: objective(name, e, target).sum())(embedding)).all()


@settings(max_examples=12, deadline=None)
@given(shape=shapes, seed=st.integers(0, 99))
def test_norms(shape: tuple[int, ...], seed: int) -> None:
    x = draw(shape, seed)
    expected = np.linalg.norm(x.reshape(len(x), -1).astype(float), axis=1)
    np.testing.assert_allclose(norms(jnp.asarray(x)), expected, rtol=1e-5)
    gradient = jax.grad(lambda x: norms(x).sum())(jnp.asarray(x))
    size = expected.reshape(-1, *[1] * (x.ndim - 1))
    np.testing.assert_allclose(gradient, x / size, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", OBJECTIVES)
def test_what_is_not_finite_is_not_near(name: str, value: float) -> None:
    """A NaN must not pass for an embedding that is reached, nor spread to the other examples."""
    target = jnp.asarray(draw((2, 5), 0))
    embedding = jnp.asarray(draw((2, 5), 1)).at[1, 2].set(value)
    ours = objective(name, embedding, target)
    np.testing.assert_array_equal(np.isfinite(ours), [True, False])
    np.testing.assert_array_equal(np.isfinite(norms(embedding)), [True, False])
