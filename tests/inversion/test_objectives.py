"""Objectives against NumPy; their gradients where a residual vanishes."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthjax.inversion.objectives import OBJECTIVES, distance_to, norms, pieces_of, weights_of
from depthjax.inversion.terms import Term, term


def by_hand_gram(e: np.ndarray, t: np.ndarray) -> float:
    ours, theirs = (
        np.mean([np.outer(x, x) for x in v.reshape(-1, v.shape[-1])], 0) for v in (e, t)
    )
    return ((ours - theirs) ** 2).sum() / (theirs**2).sum()


BY_HAND: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {  # of one residual and target
    "l1": lambda r, t: np.abs(r).sum(),
    "l2": lambda r, t: np.sqrt((r**2).sum()),
    "squared_l2": lambda r, t: (r**2).sum(),
    "relative_l2": lambda r, t: np.sqrt((r**2).sum()) / np.sqrt((t**2).sum()),
    "relative_squared_l2": lambda r, t: (r**2).sum() / (t**2).sum(),
}
OF_BOTH: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {  # of an embedding and its target
    "cosine": lambda e, t: 1 - (e * t).sum() / np.sqrt((e**2).sum() * (t**2).sum()),
    "dot": lambda e, t: -(e * t).sum() / (t**2).sum(),
    "dot_cosine": lambda e, t: (
        -(e * t).sum()
        / (t**2).sum()
        * max((e * t).sum() / np.sqrt((e**2).sum() * (t**2).sum()), 0.1) ** 2
    ),
    "gram": by_hand_gram,
}
RELATIVE = tuple(name for name, known in OBJECTIVES.items() if known.is_relative)
shapes = st.sampled_from(
    [(1,), (4,), (1, 1), (3, 5), (2, 3, 4), (5, 1, 2), (2, 3, 1, 4), (1, 2, 2, 3)]
)
"""Embeddings have any rank; each shape compiles by itself, so there are few."""


def objective(name: str, embedding: jax.Array, target: jax.Array, c: float = 1.0) -> jax.Array:
    """What `invert` minimises, one number for each example."""
    weights = jnp.asarray(weights_of(name, c), target.dtype)
    return distance_to(target, pieces_of(name), weights)(embedding)


def draw(shape: tuple[int, ...], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_every_objective_is_tested() -> None:
    assert set(OBJECTIVES) == {*BY_HAND, *OF_BOTH}


@pytest.mark.parametrize("name", BY_HAND)
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


@pytest.mark.parametrize("name", BY_HAND)
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


@pytest.mark.parametrize("name", BY_HAND)
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


@pytest.mark.parametrize("name", BY_HAND)
def test_a_target_of_zeros_leaves_the_absolute_distance(name: str) -> None:
    embedding = jnp.asarray(draw((2, 5), 0))
    target = jnp.asarray(draw((2, 5), 1)).at[0].set(0)
    ours = objective(name, embedding, target, 0.7)
    absolute = objective(name.removeprefix("relative_"), embedding, target, 0.7)
    assert np.isfinite(ours).all()
    np.testing.assert_allclose(ours[0], absolute[0], rtol=1e-6)
    assert np.isfinite(jax.grad(lambda e: objective(name, e, target).sum())(embedding)).all()


@pytest.mark.parametrize("name", OF_BOTH)
def test_of_both_is_what_it_says(name: str, x64: None) -> None:
    embedding, target = (jnp.asarray(draw((3, 2, 4, 5), seed), jnp.float64) for seed in (0, 1))
    expected = [OF_BOTH[name](*pair) for pair in zip(embedding, target, strict=True)]
    np.testing.assert_allclose(objective(name, embedding, target), expected, rtol=1e-12)
    if not name.startswith("dot"):  # which have no least value
        at_target = jax.grad(lambda e: objective(name, e, target).sum())(target)
        np.testing.assert_allclose(at_target, 0, atol=1e-12)
    of = lambda e: objective(name, e, target).sum()  # noqa: E731
    direction = jnp.asarray(draw(embedding.shape, 2), jnp.float64)
    slope = (of(embedding + 1e-6 * direction) - of(embedding - 1e-6 * direction)) / 2e-6
    along = (jax.grad(of)(embedding) * direction).sum()
    np.testing.assert_allclose(along, slope, rtol=1e-7)


def test_cosine_is_of_directions_and_gram_of_no_positions(x64: None) -> None:
    embedding, target = (jnp.asarray(draw((2, 3, 3, 4), seed), jnp.float64) for seed in (0, 1))
    cosine = objective("cosine", embedding, target)
    np.testing.assert_allclose(objective("cosine", 3 * embedding, 0.1 * target), cosine, rtol=1e-12)
    np.testing.assert_allclose(objective("cosine", -target, target), 2, rtol=1e-12)
    turned = embedding.transpose(0, 2, 1, 3)[:, ::-1]
    ours = objective("gram", embedding, target)
    np.testing.assert_allclose(objective("gram", turned, target), ours, rtol=1e-12)
    with pytest.raises(ValueError, match="gram needs an embedding with positions"):
        objective("gram", embedding.reshape(2, -1), target.reshape(2, -1))


@pytest.mark.parametrize("name", OF_BOTH)
def test_zeros_make_no_nan(name: str) -> None:
    zero, other = jnp.zeros((1, 2, 2, 3)), jnp.asarray(draw((1, 2, 2, 3), 0))
    for embedding, target in ((zero, other), (other, zero), (zero, zero)):
        value, gradient = jax.value_and_grad(lambda e: objective(name, e, target).sum())(embedding)  # noqa: B023
        assert np.isfinite(value) and np.isfinite(gradient).all()


def test_sums_weigh_their_terms_and_take_functions() -> None:
    embedding, target = (jnp.asarray(draw((3, 2, 4), seed)) for seed in (0, 1))

    def largest(e: jax.Array, t: jax.Array) -> jax.Array:
        return jnp.abs(e - t).max((1, 2))

    asked = 0.5 * term(largest) + "cosine" + 2 * term("l1")
    ours = distance_to(target, pieces_of(asked), jnp.asarray(weights_of(asked, 3.0)))(embedding)
    one = {name: objective(name, embedding, target) for name in ("cosine", "l1")}
    expected = 3 * (0.5 * largest(embedding, target) + one["cosine"] + 2 * one["l1"])
    np.testing.assert_allclose(ours, expected, rtol=1e-6)


def test_terms_are_of_layers_that_the_embedding_holds() -> None:
    embedding, target = (jnp.asarray(draw((2, 7), seed)) for seed in (0, 1))

    def split(both: jax.Array) -> dict[str, jax.Array]:
        return {"early": both[:, :4], "late": both[:, 4:]}

    asked = term("l1", at="early") + 0.1 * term("squared_l2", at="late")
    ours = distance_to(target, pieces_of(asked), jnp.asarray(weights_of(asked)), split)(embedding)
    early = objective("l1", embedding[:, :4], target[:, :4])
    late = objective("squared_l2", embedding[:, 4:], target[:, 4:])
    np.testing.assert_allclose(ours, early + 0.1 * late, rtol=1e-6)
    with pytest.raises(ValueError, match="asks for 'later', and the embedding is of early, late"):
        distance_to(target, (Term("l1", at="later"),), jnp.ones(1), split)
    with pytest.raises(ValueError, match="of one layer alone; ask for a layer of several"):
        distance_to(target, (Term("l1", at="late"),), jnp.ones(1))


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
@pytest.mark.parametrize("name", BY_HAND)
def test_what_is_not_finite_is_not_near(name: str, value: float) -> None:
    """A NaN must not pass for an embedding that is reached, nor spread to the other examples."""
    target = jnp.asarray(draw((2, 5), 0))
    embedding = jnp.asarray(draw((2, 5), 1)).at[1, 2].set(value)
    ours = objective(name, embedding, target)
    np.testing.assert_array_equal(np.isfinite(ours), [True, False])
    np.testing.assert_array_equal(np.isfinite(norms(embedding)), [True, False])


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_norms_of_half_precision_have_the_digits_of_float32(dtype: type) -> None:
    residual = jax.random.normal(jax.random.key(0), (3, 5000)).astype(dtype)
    found = norms(residual)
    assert found.dtype == jnp.float32
    expected = np.linalg.norm(np.asarray(residual, np.float64), axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert jax.grad(lambda r: norms(r).sum())(residual).dtype == dtype
