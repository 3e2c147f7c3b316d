"""Structure, edges and roughness of images whose answers are known."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from depthjax.images.luminance import luminance
from depthjax.inversion.similarity import (
    Similarity,
    gradient_energy_ratio,
    gradients,
    multiscale_similarity,
    psnr,
    similarity,
    structural_similarity,
)

NAMES = [field.name for field in dataclasses.fields(Similarity)]


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(shape).astype(np.float32)


def step(height: float, side: int = 32) -> np.ndarray:
    """The right half brighter than the left one."""
    return np.broadcast_to(height * (np.arange(side) >= side // 2), (side, side)).astype(float)


@settings(max_examples=15)
@given(height=st.integers(3, 20), width=st.integers(3, 20), channels=st.integers(1, 4))
def test_an_image_is_like_itself_and_unlike_others(height: int, width: int, channels: int) -> None:
    a = draw(2, height, width, channels)
    np.testing.assert_allclose(structural_similarity(a, a), 1)
    other = structural_similarity(a, draw(2, height, width, channels, seed=1))
    assert (other < 0.95).all()
    np.testing.assert_array_equal(gradient_energy_ratio(a, a), 1)


def test_every_field_of_the_image_itself() -> None:
    a = draw(3, 40, 36, 3)
    found = similarity(a, a)
    for name in NAMES:
        ideal = {"gradient_deviation": 0, "psnr": np.inf}.get(name, 1)
        np.testing.assert_allclose(getattr(found, name), [ideal] * 3, atol=1e-12, err_msg=name)


def test_restarts_are_compared_with_their_own_targets() -> None:
    a, a_g = draw(2, 36, 36, 3), draw(3, 2, 36, 36, 3, seed=1)
    together = similarity(a, a_g)
    for restart in range(3):
        alone = similarity(a, a_g[restart])
        for name in NAMES:
            value = getattr(together, name)
            assert value.shape == (3, 2) and value.dtype == np.float64
            np.testing.assert_array_equal(value[restart], getattr(alone, name))
    assert structural_similarity(a, a_g).shape == (3, 2)


def test_noise_lowers_the_similarity_step_by_step() -> None:
    ramp = np.linspace(0, 1, 32, dtype=np.float32)
    a = np.broadcast_to(ramp[None, None, :, None], (1, 32, 32, 3))
    noise = np.random.default_rng(0).normal(size=a.shape).astype(np.float32)
    found = [structural_similarity(a, a + s * noise)[0] for s in (0.0, 0.05, 0.2, 1.0)]
    assert found == sorted(found, reverse=True) and found[0] == 1 and found[-1] < 0.2


def test_structural_similarity_has_wangs_window_and_constants() -> None:
    """A Gaussian of 11×11 with σ = 1.5 where it fits, K₁ = 0.01, K₂ = 0.03, L = 1, on luminance."""
    a, b = draw(1, 24, 20, 3), draw(1, 24, 20, 3, seed=1)
    line = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2

    def mean(values: np.ndarray) -> np.ndarray:
        return (sliding_window_view(values, (11, 11)) * window).sum((-2, -1))

    x, y = luminance(a)[0], luminance(b)[0]
    mx, my = mean(x), mean(y)
    vx, vy, xy = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    c1, c2 = 0.01**2, 0.03**2
    ssim = (2 * mx * my + c1) * (2 * xy + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    np.testing.assert_allclose(structural_similarity(a, b), ssim.mean(), rtol=1e-9)


def test_multiscale_similarity_is_that_of_its_definition() -> None:
    """Contrast and structure at each size, with luminance at the last; as many sizes as fit."""
    exponents = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333]
    line = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2

    def mean(values: np.ndarray) -> np.ndarray:
        return (sliding_window_view(values, (11, 11)) * window).sum((-2, -1))

    for side, sizes in ((23, 2), (44, 3), (177, 5)):
        a = draw(1, side, side + 3, 3)
        b = np.clip(a + 0.3 * draw(1, side, side + 3, 3, seed=1), 0, 2)
        x, y = luminance(a)[0], luminance(b)[0]
        expected, total = 1.0, sum(exponents[:sizes])
        for size in range(sizes):
            mx, my = mean(x), mean(y)
            vx, vy, xy = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
            factor = (2 * xy + 0.03**2) / (vx + vy + 0.03**2)
            if size == sizes - 1:
                factor *= (2 * mx * my + 0.01**2) / (mx**2 + my**2 + 0.01**2)
            expected *= factor.mean() ** (exponents[size] / total)
            h, w = (n // 2 * 2 for n in x.shape)
            x, y = (z[:h, :w].reshape(h // 2, 2, w // 2, 2).mean((1, 3)) for z in (x, y))
        np.testing.assert_allclose(multiscale_similarity(a, b), expected, rtol=1e-9)
        assert multiscale_similarity(a, a) == pytest.approx(1)
        assert multiscale_similarity(a, 1 - a) == 0
    small = draw(2, 10, 10, 3)
    assert np.isnan(multiscale_similarity(small, small)).all()


def test_gradients_of_a_step_are_those_of_the_definition() -> None:
    """After halving, two of 16 columns have the gradient 1 where the image has 0.5, or none."""
    c = 0.0026
    for height, at_step in ((0.5, (2 * 0.5 + c) / (1 + 0.25 + c)), (0.0, c / (1 + c)), (-1.0, 1)):
        found = gradients(step(1.0), step(height))
        share = 2 / 16
        assert found.similarity == pytest.approx(1 - share * (1 - at_step))
        deviation = np.sqrt(share * (1 - share)) * (1 - at_step)
        assert found.deviation == pytest.approx(deviation, abs=1e-12)
        assert found.r2 == pytest.approx(float(height != 0))
    assert np.isnan(gradients(step(0.0), step(1.0)).r2)


def test_the_constant_of_gradients_is_that_of_8_bits() -> None:
    """c = 170 for luminance from 0 to 255 is c = 0.0026 for 0 to 1."""
    assert pytest.approx(0.0026, abs=5e-5) == 170 / 255**2


def test_edges_are_seen_whichever_side_is_bright() -> None:
    a = luminance(draw(1, 48, 48, 3))[0]
    assert gradients(a, 1 - a).r2 == pytest.approx(1)
    assert gradients(a, 0.1 * a).r2 == pytest.approx(1)
    assert gradients(a, 0.1 * a).similarity < 0.9
    assert gradients(a, luminance(draw(48, 48, 3, seed=1))).r2 < 0.05


def test_odd_sides_are_halved_too() -> None:
    a = luminance(draw(17, 9, 3))
    assert gradients(a, a) == pytest.approx((1, 1, 0))


def test_the_gradient_energy_is_that_of_differences() -> None:
    a = np.zeros((1, 3, 4, 1), np.float32)
    a[0, 1, 1] = 1.0  # four neighbours, four differences of 1
    b = np.zeros_like(a)
    b[0, 0, 0] = 3.0  # a corner has two
    np.testing.assert_allclose(gradient_energy_ratio(a, b), 2 * 9 / 4)
    np.testing.assert_allclose(gradient_energy_ratio(a, 0.5 * a + 0.3), 0.25, rtol=1e-5)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_what_cannot_be_compared(value: float) -> None:
    a = draw(2, 36, 36, 3)
    broken = a.copy()
    broken[0, 3, 3, 1] = value
    finite = bool(np.isfinite(value))
    found = similarity(a, broken)
    for name in NAMES:
        assert np.isnan(getattr(found, name)).tolist() == [not finite, False], name
    assert np.isfinite(structural_similarity(a, broken)).tolist() == [finite, True]
    if not finite:
        assert not np.isfinite(gradient_energy_ratio(a, broken)[0])
    assert gradient_energy_ratio(np.ones_like(a), a) == pytest.approx(np.inf)


def test_psnr_is_that_of_scikit_image_over_all_channels():
    from skimage.metrics import peak_signal_noise_ratio

    a, b = draw(2, 9, 8, 3), draw(2, 9, 8, 3, seed=1)
    expected = [peak_signal_noise_ratio(*pair, data_range=1.0) for pair in zip(a, b, strict=True)]
    np.testing.assert_allclose(similarity(a, b).psnr, expected, rtol=1e-6)  # of float32
    assert np.isposinf(similarity(a, a).psnr).all()
    np.testing.assert_array_equal(similarity(a, b).ssim, structural_similarity(a, b))
    black = np.zeros((1, 2, 2, 3), np.float32)
    assert psnr(black, black + 1 / 255) == pytest.approx(48.13, abs=0.01)  # one grey level
    assert np.isnan(psnr(black, black + np.inf))
