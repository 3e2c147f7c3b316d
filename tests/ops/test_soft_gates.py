"""Soft gates and maxima: exact values, the derivative of a soft maximum, the true one at T = 0."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from depthjax.models.operations.relu import relu, relu6
from depthjax.ops.pooling import Windows, max_pool, window
from depthjax.ops.soft_gates import TEMPERATURE, at_temperature, soft_gate, soft_max_pool

POOLS = [
    *[(3, 2, 1), (2, 2, 0), ((2, 3), (1, 2), (1, 1)), (3, 1, ((2, 0), (0, 2)))],
    *[(2, 1, 0, 2), (3, 2, 1, 1, True)],  # dilated; rounded up
]


def pooled(pool, temperature):
    return lambda x: soft_max_pool(
        Windows(window(*pool), *x.shape[1:3]), jnp.float32(temperature), x
    )


def drawn(shape, dtype=np.float32):
    return jnp.asarray(np.random.default_rng(0).normal(size=shape), dtype)


@pytest.mark.parametrize("temperature", [0.0, 0.3, 9.0])
@pytest.mark.parametrize("pool", POOLS)
def test_values_of_max_pooling_are_exact(pool, temperature):
    x = jnp.round(drawn((2, 7, 6, 3)))  # with ties
    values, slope = values_and_slope(pool, jnp.float32(temperature), x)
    np.testing.assert_array_equal(values, max_pool(x, *pool))
    assert np.isfinite(slope).all()


@functools.partial(jax.jit, static_argnums=0)
def values_and_slope(pool, temperature, x):
    def values(x):
        return soft_max_pool(Windows(window(*pool), *x.shape[1:3]), temperature, x)

    return values(x), jax.grad(lambda x: values(x).sum())(x)


@pytest.mark.parametrize(("highest", "true"), [(np.inf, relu), (6.0, relu6)])
def test_values_of_gates_are_exact(highest, true):
    x = jnp.concatenate([jnp.linspace(-9, 9, 61), jnp.array([0.0, 6.0, 1e30])])[None]
    for temperature in (0.0, 0.3):
        np.testing.assert_array_equal(soft_gate(highest, jnp.float32(temperature), x), true(x))


def gradient(function, x):
    @jax.jit
    def found(x):
        values, pull = jax.vjp(function, x)
        weights = jnp.sin(jnp.arange(values.size, dtype=x.dtype)).reshape(values.shape)
        return pull(weights)[0]

    return found(x)


@pytest.mark.parametrize("pool", POOLS)
def test_at_no_temperature_the_derivative_is_the_true_one(x64, pool):
    x = drawn((2, 7, 6, 3), float)
    ours = gradient(pooled(pool, 0), x)
    np.testing.assert_allclose(ours, gradient(lambda x: max_pool(x, *pool), x), atol=1e-14)


def test_at_no_temperature_a_gate_has_the_true_derivative(x64):
    x = drawn((2, 7, 6, 3), float)
    for highest, true in ((np.inf, relu), (6.0, relu6)):
        soft = gradient(lambda x, top=highest: soft_gate(top, jnp.zeros(()), 9 * x), x)
        np.testing.assert_array_equal(soft, gradient(lambda x, true=true: true(9 * x), x))
    flat = jnp.zeros((1, 4, 4, 1))  # no spread, so no scale for T: as at T = 0
    assert not gradient(lambda x: soft_gate(np.inf, jnp.ones(()), x), flat).any()


def log_sum(x, temperature, pool):
    """`T log Σ exp(x/T)` of each window, T in standard deviations of each example."""
    scale = temperature * jax.lax.stop_gradient(x.std((1, 2, 3), keepdims=True))
    windows = Windows(window(*pool), *x.shape[1:3])
    taps = [tap / scale for tap in windows.taps(x, -np.inf)]
    return scale * jax.nn.logsumexp(jnp.stack(taps), axis=0)


@pytest.mark.parametrize("pool", POOLS)
def test_the_derivative_is_that_of_a_soft_maximum(x64, pool):
    x = drawn((2, 7, 6, 3), float) * jnp.array([1.0, 30.0]).reshape(2, 1, 1, 1)
    ours = gradient(pooled(pool, 0.4), x)
    expected = gradient(lambda x: log_sum(x, jnp.float32(0.4), pool), x)
    np.testing.assert_allclose(ours, expected, rtol=1e-10, atol=1e-12)
    pushed = jax.jit(lambda x: jax.jvp(pooled(pool, 0.4), (x,), (jnp.cos(x),))[1])(x)
    pulled = jax.jit(lambda x, y: jax.vjp(pooled(pool, 0.4), x)[1](y)[0])(x, pushed)
    np.testing.assert_allclose((pushed**2).sum(), (pulled * jnp.cos(x)).sum(), rtol=1e-12)


def test_the_derivative_of_a_gate_is_that_of_softplus(x64):
    x = drawn((2, 5, 4, 3), float)
    scale = 0.4 * x.std((1, 2, 3), keepdims=True)
    ours = gradient(lambda x: soft_gate(np.inf, jnp.array(0.4), x), x)
    expected = gradient(lambda x: scale * jax.nn.softplus(x / scale), x)
    np.testing.assert_allclose(ours, expected, rtol=1e-12)
    between = gradient(lambda x: soft_gate(6.0, jnp.array(0.4), 9 * x), x)
    inside = jax.nn.sigmoid(x / scale) * jax.nn.sigmoid((6 - 9 * x) / (9 * scale))
    np.testing.assert_allclose(between, 9 * gradient(lambda x: x, x) * inside, rtol=1e-12)


@pytest.mark.parametrize(
    "function", [pooled(POOLS[0], 0.3), lambda x: soft_gate(6.0, jnp.ones(()), x)]
)
def test_examples_do_not_mix(function):
    x = drawn((3, 7, 6, 2)) * jnp.array([1.0, 20.0, 0.1]).reshape(3, 1, 1, 1)
    slope = jax.jit(jax.grad(lambda x: function(x).sum()))
    whole = slope(x)
    for i in range(3):
        alone = slope(x[i : i + 1])
        np.testing.assert_allclose(whole[i : i + 1], alone, rtol=1e-5)


def test_only_temperatures_change():
    """A parameter of a network that is called so, too, is none."""
    weights = {"relu": {TEMPERATURE: jnp.zeros(())}, "softmax": {"temperature": jnp.ones(2)}}
    hot = at_temperature(weights, jnp.float32(2))
    assert hot["relu"][TEMPERATURE] == 2 and weights["relu"][TEMPERATURE] == 0
    assert hot["softmax"]["temperature"] is weights["softmax"]["temperature"]


@pytest.mark.parametrize("windows", [1, 3])
def test_each_example_has_its_own_temperature(windows):
    """Also where a network looks at windows of an image as examples of their own."""
    temperatures = jnp.asarray([0.0, 0.3])
    x = drawn((2 * windows, 5, 4))

    def passed(temperature, x):
        return jax.grad(lambda x: soft_gate(np.inf, temperature, x).sum())(x)

    found = passed(temperatures, x)
    for example, temperature in enumerate(temperatures):
        own = slice(example * windows, (example + 1) * windows)
        np.testing.assert_array_equal(found[own], passed(temperature, x[own]))
