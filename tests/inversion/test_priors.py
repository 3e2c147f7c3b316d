"""The blur is a dense Gaussian's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthjax.inversion.priors import blur3

KEY = jax.random.key(3)
SHAPE = (3, 16, 12, 3)
side = st.sampled_from([2, 3, 6])


def images(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(shape, np.float32)


# ------------------------------------------------------------------------------------------- blur


def dense_blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """A 3×3 window of `exp(-(dx² + dy²) / 2σ²)`, normalised, over a reflecting border."""
    offsets = np.array([-1, 0, 1])
    kernel = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * sigma**2))
    kernel /= kernel.sum()
    height, width = image.shape[:2]
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)), mode="reflect")
    return sum(
        kernel[i, j] * padded[i : i + height, j : j + width] for i in range(3) for j in range(3)
    )


@settings(max_examples=8, deadline=None)
@given(height=side, width=side, sigma=st.floats(0.05, 20), seed=st.integers(0, 99))
def test_blur_is_the_dense_gaussian(height: int, width: int, sigma: float, seed: int) -> None:
    x = images((2, height, width, 2), seed)
    ours = jax.jit(blur3)(jnp.asarray(x), jnp.float32(sigma))
    expected = [dense_blur(image.astype(float), sigma) for image in x]
    np.testing.assert_allclose(ours, expected, atol=2e-6)


@settings(max_examples=5, deadline=None)
@given(height=st.integers(1, 3), width=st.integers(1, 3), sigma=st.floats(0.05, 20))
def test_blur_keeps_constants(height: int, width: int, sigma: float) -> None:
    x = jnp.full((1, height, width, 3), 0.37)
    np.testing.assert_allclose(jax.jit(blur3)(x, jnp.float32(sigma)), x, rtol=1e-6)


@pytest.mark.parametrize("sigma", [0.4, 1.0, 2.4])
def test_the_kernel_sums_to_one_and_is_symmetric(sigma: float) -> None:
    delta = jnp.zeros((1, 7, 7, 1)).at[0, 3, 3, 0].set(1)
    kernel = np.asarray(blur3(delta, jnp.float32(sigma)))[0, :, :, 0]
    np.testing.assert_allclose(kernel.sum(), 1, rtol=1e-6)
    np.testing.assert_allclose(kernel, kernel.T, atol=1e-8)
    np.testing.assert_allclose(kernel, kernel[::-1], atol=1e-8)
    assert (kernel[2:5, 2:5] > 0).all()
    assert np.count_nonzero(kernel) == 9
    ratio = kernel[3, 2] / kernel[3, 3]
    np.testing.assert_allclose(ratio, np.exp(-0.5 / sigma**2), rtol=1e-5)


def test_the_narrowest_blur_is_none() -> None:
    x = jnp.asarray(images((2, 5, 4, 3)))
    np.testing.assert_array_equal(blur3(x, jnp.float32(0.01)), x)


@pytest.mark.parametrize("shape", [(1, 1, 6, 2), (1, 6, 1, 2), (1, 1, 1, 2)])
def test_an_axis_of_one_pixel_is_not_blurred(shape: tuple[int, ...]) -> None:
    x = images(shape)
    ours = blur3(jnp.asarray(x), jnp.float32(1.1))
    line = x.reshape(1, -1, 2).astype(float)
    # Repeated along the axis, it is constant there, and blurred along the other one alone.
    expected = line[0] if line.shape[1] == 1 else dense_blur(np.repeat(line, 5, 0), 1.1)[2]
    np.testing.assert_allclose(np.asarray(ours).reshape(-1, 2), expected, rtol=1e-5)


def test_blur_does_not_mix_channels_or_images() -> None:
    x = images((2, 5, 5, 3))
    other = x.copy()
    other[1] = 9
    other[:, :, :, 2] = 9
    first, second = (np.asarray(blur3(jnp.asarray(v), jnp.float32(1.0))) for v in (x, other))
    np.testing.assert_array_equal(first[0, :, :, :2], second[0, :, :, :2])
