"""Pooling against slow definitions in numpy, and where its gradients go."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads

from depthjax.compat import enable_x64
from depthjax.ops.pooling import adaptive_average_pool, max_pool

Window = tuple[int, int, int]  # window, strides, padding


@st.composite
def windows(draw: st.DrawFn) -> Window:
    """What PyTorch allows: padding of at most half the window."""
    window = draw(st.integers(1, 4))
    return window, draw(st.integers(1, 4)), draw(st.integers(0, window // 2))


shapes = st.tuples(st.integers(1, 2), st.integers(1, 9), st.integers(1, 9), st.integers(1, 3))


def pooled_shape(shape: tuple[int, ...], window: Window) -> tuple[int, ...]:
    """Sizes rounded down; 0 where no window fits."""
    size, strides, padding = window
    batch, height, width, channels = shape
    rows, columns = (max(0, (n + 2 * padding - size) // strides + 1) for n in (height, width))
    return batch, rows, columns, channels


def first_maxima(x: np.ndarray, window: Window) -> dict[tuple[int, ...], tuple[int, ...]]:
    """For each entry of the pooled array, where in `x` the first largest value of its window is."""
    size, strides, padding = window
    _, height, width, _ = x.shape
    where = {}
    for b, i, j, c in np.ndindex(pooled_shape(x.shape, window)):
        top, left = i * strides - padding, j * strides - padding
        inside = [
            (b, h, w, c)
            for h in range(max(0, top), min(height, top + size))
            for w in range(max(0, left), min(width, left + size))
        ]
        where[b, i, j, c] = max(inside, key=lambda at: x[at])  # `max` keeps the first of equals
    return where


@partial(jax.jit, static_argnums=3)
def pool_and_derivatives(
    x: jax.Array, tangent: jax.Array, cotangent: jax.Array, window: Window
) -> tuple[jax.Array, ...]:
    """The value alone, the value and its change, and the gradient."""

    def pool(x: jax.Array) -> jax.Array:
        return max_pool(x, *window)

    _, pullback = jax.vjp(pool, x)
    return pool(x), *jax.jvp(pool, (x,), (tangent,)), pullback(cotangent)[0]


@settings(deadline=None, max_examples=25)
@example(shape=(1, 1, 2, 1), window=(2, 3, 0), seed=0)  # no window fits
@given(shape=shapes, window=windows(), seed=st.integers(0, 99))
def test_max_pool_and_its_derivatives(shape: tuple[int, ...], window: Window, seed: int) -> None:
    generator = np.random.default_rng(seed)
    # Small integers: most windows have ties, and sums are exact. Negative ones: padding by 0 shows.
    x = generator.integers(-4, 0, shape).astype(np.float32)
    tangent = generator.integers(-9, 9, shape).astype(np.float32)
    cotangent = generator.integers(-9, 9, pooled_shape(shape, window)).astype(np.float32)
    expected, change, gradient = (
        np.zeros_like(cotangent),
        np.zeros_like(cotangent),
        np.zeros_like(x),
    )
    for at, source in first_maxima(x, window).items():
        expected[at], change[at] = x[source], tangent[source]
        gradient[source] += cotangent[at]
    arguments = map(jnp.asarray, (x, tangent, cotangent))
    got = pool_and_derivatives(*arguments, window)
    for array, reference in zip(got, (expected, expected, change, gradient), strict=True):
        np.testing.assert_array_equal(array, reference)


def test_the_gradient_of_a_tie_goes_to_the_first_in_row_major_order() -> None:
    x = jnp.asarray([[0.0, 5.0], [5.0, 5.0]]).reshape(1, 2, 2, 1)
    gradient = jax.grad(lambda x: max_pool(x, 2, 2).sum())(x)
    assert gradient.reshape(2, 2).tolist() == [[0, 1], [0, 0]]


def test_max_pool_maps_over_examples() -> None:
    x = jnp.asarray(np.random.default_rng(0).integers(-4, 0, (3, 1, 7, 6, 2)).astype(np.float32))

    def gradient(x: jax.Array) -> jax.Array:
        return jax.grad(lambda x: (max_pool(x, 3, 2, 1) ** 2).sum())(x)

    expected = np.stack([gradient(example) for example in x])
    np.testing.assert_array_equal(jax.jit(jax.vmap(gradient))(x), expected)
    np.testing.assert_array_equal(gradient(x[:, 0]), expected[:, 0])


def test_sizes_round_down() -> None:
    x = jnp.arange(25.0).reshape(1, 5, 5, 1)
    assert max_pool(x, 2, 2).ravel().tolist() == [6, 8, 16, 18]
    assert max_pool(x, 3, 2, 1).shape == (1, 3, 3, 1)
    assert max_pool(x[:, :1, :1], 2, 2).shape == (1, 0, 0, 1)
    gradient = jax.grad(lambda x: max_pool(x, 2, 2).sum())(x[:, :1, :1])
    assert gradient.tolist() == [[[[0.0]]]]


def test_max_pool_keeps_nan_and_minus_infinity() -> None:
    x = jnp.zeros((1, 4, 4, 1)).at[0, 1, 2, 0].set(jnp.nan).at[0, 2:, :2].set(-jnp.inf)
    expected = np.array([[0, np.nan], [-np.inf, 0]])[None, :, :, None]
    np.testing.assert_array_equal(max_pool(x, 2, 2), expected)
    np.testing.assert_array_equal(jax.vjp(lambda x: max_pool(x, 2, 2), x)[0], expected)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.float32])
def test_pooling_keeps_the_dtype(dtype: jnp.dtype) -> None:
    x = jnp.ones((2, 5, 4, 3), dtype)
    assert max_pool(x, 3, 2, 1).dtype == dtype
    assert adaptive_average_pool(x, 2).dtype == dtype
    with enable_x64(True):
        double = jnp.ones((1, 3, 3, 1), jnp.float64)
        assert max_pool(double, 2, 1).dtype == adaptive_average_pool(double, 2).dtype == jnp.float64


def adaptive_definition(x: np.ndarray, size: int) -> np.ndarray:
    """PyTorch's: cell i goes from floor(i·n/size) to ceil((i+1)·n/size)."""
    batch, height, width, channels = x.shape
    pooled = np.empty((batch, size, size, channels))
    for i, j in np.ndindex(size, size):
        rows = slice(int(np.floor(i * height / size)), int(np.ceil((i + 1) * height / size)))
        columns = slice(int(np.floor(j * width / size)), int(np.ceil((j + 1) * width / size)))
        pooled[:, i, j] = x[:, rows, columns].mean((1, 2))
    return pooled


@settings(deadline=None, max_examples=30)
@given(shape=shapes, size=st.integers(1, 8), seed=st.integers(0, 99))
def test_adaptive_average_pool(shape: tuple[int, ...], size: int, seed: int) -> None:
    x = np.random.default_rng(seed).normal(size=shape)
    with enable_x64(True):
        pooled = np.asarray(adaptive_average_pool(jnp.asarray(x), size))
    np.testing.assert_allclose(pooled, adaptive_definition(x, size), rtol=0, atol=1e-13)


@pytest.mark.parametrize("length", [2, 7, 9, 14])
def test_adaptive_average_pool_to_seven(length: int) -> None:
    """VGG's: repeats from 2, is the identity at 7, overlaps at 9, plain 2×2 means at 14."""
    x = np.random.default_rng(length).normal(size=(1, length, length, 2)).astype(np.float32)
    pooled = np.asarray(adaptive_average_pool(jnp.asarray(x), 7))
    np.testing.assert_allclose(pooled, adaptive_definition(x, 7), rtol=0, atol=1e-6)
    if length == 2:
        halves = [0, 0, 0, slice(0, 2), 1, 1, 1]
        row = [x[0, 0, half].reshape(-1, 2).mean(0) for half in halves]
        np.testing.assert_allclose(pooled[0, 0], row, rtol=0, atol=1e-6)
    elif length == 7:
        np.testing.assert_allclose(pooled, x, rtol=0, atol=1e-6)
    elif length == 14:
        blocks = x.reshape(1, 7, 2, 7, 2, 2).mean((2, 4))
        np.testing.assert_allclose(pooled, blocks, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("shape", "size"), [((1, 2, 3, 2), 7), ((2, 9, 5, 1), 4)])
def test_adaptive_average_pool_is_differentiable(shape: tuple[int, ...], size: int) -> None:
    with enable_x64(True):
        x = jnp.asarray(np.random.default_rng(0).normal(size=shape))
        check_grads(lambda x: adaptive_average_pool(jnp.asarray(x), size), (x,), order=2, eps=1e-3)
