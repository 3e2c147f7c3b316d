"""Starts have the statistics they promise; the blur is a dense Gaussian's; the box is a box."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthjax.inversion.config import InversionConfig
from depthjax.inversion.invert import initial_images
from depthjax.inversion.starts import STARTS, draw_start

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
