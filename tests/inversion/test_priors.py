"""Starts have the statistics they promise; the blur is a dense Gaussian's; the box is a box."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthjax.inversion.config import InversionConfig
from depthjax.inversion.invert import initial_images
from depthjax.inversion.priors import STARTS, blur3, draw_start, range_penalty

KEY = jax.random.key(3)
SHAPE = (3, 16, 12, 3)
side = st.sampled_from([2, 3, 6])


def images(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(shape, np.float32)


# ------------------------------------------------------------------------------------- statistics


def test_gaussian_is_the_papers_start() -> None:
    start = np.asarray(draw_start(KEY, "gaussian", (8, 32, 32, 3)))
    assert start.dtype == np.float32
    count = start.size
    assert abs(start.mean() - 0.7) < 5 * 0.05 / count**0.5
    assert abs(start.std() - 0.05) < 5 * 0.05 / (2 * count) ** 0.5
    z = (start - 0.7) / 0.05
    assert abs((z**4).mean() - 3) < 0.3  # a normal's fourth moment
    neighbours = np.corrcoef(z[:, :-1].ravel(), z[:, 1:].ravel())[0, 1]
    assert abs(neighbours) < 5 / count**0.5  # independent pixels
    assert start.max() > 0.85  # not clipped to a range of its own


def test_gaussian_is_not_clipped() -> None:
    start = np.asarray(draw_start(KEY, "gaussian", SHAPE, mean=0.5, std=2.0))
    assert start.min() < -1
    assert start.max() > 2


def test_flat_is_the_mean_everywhere() -> None:
    start = draw_start(KEY, "flat", SHAPE, mean=0.25, std=3.0)
    np.testing.assert_array_equal(start, np.full(SHAPE, 0.25, np.float32))


def test_uniform_fills_the_range() -> None:
    start = np.asarray(draw_start(KEY, "uniform", (8, 32, 32, 3)))
    assert start.min() >= 0
    assert start.max() < 1
    share, _ = np.histogram(start, 10, (0, 1))
    np.testing.assert_allclose(share / start.size, 0.1, atol=0.01)


@pytest.mark.parametrize("shape", [(3, 16, 12, 3), (2, 1, 9, 1)])
def test_pink_has_mean_and_std_in_each_image(shape: tuple[int, ...]) -> None:
    start = np.asarray(draw_start(KEY, "pink", shape, mean=0.4, std=0.1), float)
    np.testing.assert_allclose(start.mean((1, 2, 3)), 0.4, atol=1e-5)
    np.testing.assert_allclose(start.std((1, 2, 3)), 0.1, rtol=1e-4)


def test_pink_power_falls_with_the_square_of_the_frequency() -> None:
    def slope(kind: str) -> float:
        start = np.asarray(draw_start(KEY, kind, (8, 64, 64, 3)), float)
        power = (np.abs(np.fft.fft2(start, axes=(1, 2))) ** 2).mean((0, 3))
        frequency = np.hypot(np.fft.fftfreq(64)[:, None], np.fft.fftfreq(64)[None])
        band = (frequency > 0) & (frequency < 0.5)
        return np.polyfit(np.log(frequency[band]), np.log(power[band]), 1)[0]

    assert abs(slope("pink") + 2) < 0.05
    assert abs(slope("gaussian")) < 0.05


def test_pink_of_a_single_pixel_is_finite() -> None:
    start = draw_start(KEY, "pink", (4, 1, 1, 3), mean=0.4, std=0.1)
    assert np.isfinite(start).all()
    assert np.abs(np.asarray(start) - 0.4).max() < 0.6


def test_channels_and_images_differ() -> None:
    for kind in ("gaussian", "uniform", "pink"):
        start = np.asarray(draw_start(KEY, kind, SHAPE))
        assert len({start[b, :, :, c].tobytes() for b in range(3) for c in range(3)}) == 9, kind


def test_dtype(x64: None) -> None:
    others = jnp.asarray(images(SHAPE))
    assert draw_start(KEY, "pink", SHAPE, dtype=jnp.float32).dtype == jnp.float32
    for kind in STARTS:
        assert draw_start(KEY, kind, SHAPE, others=others, dtype=jnp.float64).dtype == jnp.float64


# ------------------------------------------------------------------------ averages, keys, restarts


def test_a_sum_of_kinds_is_their_average() -> None:
    others = jnp.asarray(images((2, 4, 4, 3)))
    start = draw_start(KEY, "flat+image", (2, 4, 4, 3), mean=0.2, others=others)
    np.testing.assert_allclose(start, (0.2 + others[::-1]) / 2, rtol=1e-6)
    three = draw_start(KEY, "flat+image+flat", (2, 4, 4, 3), mean=0.2, others=others)
    np.testing.assert_allclose(three, (0.4 + others[::-1]) / 3, rtol=1e-6)


def test_parts_of_a_sum_are_independent() -> None:
    start = np.asarray(draw_start(KEY, "gaussian+gaussian", (8, 32, 32, 3)))
    np.testing.assert_allclose(start.std(), 0.05 / 2**0.5, rtol=0.03)


@pytest.mark.parametrize("kind", ["gaussian", "uniform", "pink", "gaussian+uniform"])
def test_the_key_decides(kind: str) -> None:
    first, again = draw_start(KEY, kind, SHAPE), draw_start(KEY, kind, SHAPE)
    np.testing.assert_array_equal(first, again)
    assert (first != draw_start(jax.random.key(4), kind, SHAPE)).any()


def test_restarts_differ_and_the_first_is_the_only_one() -> None:
    several = initial_images(KEY, SHAPE, InversionConfig(restarts=3))
    assert several.shape == (3, *SHAPE)
    assert len({np.asarray(start).tobytes() for start in several}) == 3
    np.testing.assert_array_equal(several[0], initial_images(KEY, SHAPE, InversionConfig()))


def test_kinds_take_turns_over_restarts() -> None:
    config = InversionConfig(start=("flat", "uniform"), start_mean=0.3, restarts=5)
    starts = np.asarray(initial_images(KEY, SHAPE, config))
    flat = [bool((start == np.float32(0.3)).all()) for start in starts]
    assert flat == [True, False, True, False, True]
    assert (starts[1] != starts[3]).any()


def test_restarts_from_images_use_every_other_image() -> None:
    """Also where another kind takes every second turn."""
    others = jnp.asarray(images((3, 4, 4, 3)))
    for kinds, turns in ((("image",), (0, 1)), (("flat", "image"), (1, 3))):
        config = InversionConfig(start=kinds, restarts=4)
        starts = initial_images(KEY, others.shape, config, others=others)
        for b in range(3):
            used = {np.asarray(starts[turn, b]).tobytes() for turn in turns}
            assert used == {np.asarray(others[i]).tobytes() for i in range(3) if i != b}, kinds


@settings(max_examples=25, deadline=None)
@given(count=st.integers(2, 4), data=st.data(), shift=st.integers(0, 30))
def test_image_never_gives_the_own_image(count: int, data: st.DataObject, shift: int) -> None:
    batch = data.draw(st.integers(1, count))
    others = jnp.arange(count, dtype=jnp.float32)[:, None, None, None] * jnp.ones((1, 2, 2, 3))
    start = draw_start(KEY, "image", (batch, 2, 2, 3), others=others, shift=shift)
    chosen = np.asarray(start)[:, 0, 0, 0]
    assert (np.asarray(start) == chosen[:, None, None, None]).all()
    assert set(chosen) <= set(range(count))
    assert (chosen != np.arange(batch)).all()


def test_shifts_go_through_all_the_other_images() -> None:
    others = jnp.arange(5.0)[:, None, None, None] * jnp.ones((1, 2, 2, 3))
    chosen = {
        float(draw_start(KEY, "image", (5, 2, 2, 3), others=others, shift=s)[2, 0, 0, 0])
        for s in range(4)
    }
    assert chosen == {0.0, 1.0, 3.0, 4.0}


@pytest.mark.parametrize("others", [None, jnp.zeros((1, 4, 4, 3))])
def test_image_needs_another_image(others: jax.Array | None) -> None:
    with pytest.raises(ValueError, match=r"at least 2 images.*got [01]") as error:
        draw_start(KEY, "image", (1, 4, 4, 3), others=others)
    assert "\n" not in str(error.value)


def test_image_needs_images_of_the_targets_size() -> None:
    with pytest.raises(ValueError, match=r"\(5, 4, 3\).*\(4, 4, 3\)") as error:
        draw_start(KEY, "image", (2, 4, 4, 3), others=jnp.zeros((2, 5, 4, 3)))
    assert "\n" not in str(error.value)


def test_unknown_kinds_are_named_with_the_nearest() -> None:
    for kind in ("gausian", "flat+gausian"):
        with pytest.raises(ValueError, match=r"'gausian'.*did you mean 'gaussian'") as error:
            draw_start(KEY, kind, SHAPE)
        assert "\n" not in str(error.value)


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


# -------------------------------------------------------------------------------------------- box


def test_no_penalty_inside_the_box() -> None:
    x = jnp.asarray(images((2, 3, 3, 3))).at[0, 0, 0, 0].set(0).at[1, 2, 2, 2].set(1)
    np.testing.assert_array_equal(range_penalty(x), [0, 0])
    np.testing.assert_array_equal(jax.grad(lambda x: range_penalty(x).sum())(x), 0)


def test_the_penalty_is_the_squared_distance_and_pushes_inside() -> None:
    x = jnp.full((3, 2, 2, 3), 0.5).at[1, 0, 0, 0].set(1.5).at[1, 1, 1, 2].set(-0.2)
    x = x.at[2].set(-1)
    np.testing.assert_allclose(range_penalty(x), [0, 0.25 + 0.04, 12], rtol=1e-6)
    gradient = np.asarray(jax.grad(lambda x: range_penalty(x).sum())(x))
    nearest = np.clip(np.asarray(x), 0, 1)
    np.testing.assert_allclose(gradient, 2 * (np.asarray(x) - nearest), rtol=1e-6)
