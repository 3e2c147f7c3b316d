"""Structure and roughness of images whose answers are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthjax.analysis.similarity import gradient_energy_ratio, structural_similarity


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(shape).astype(np.float32)


@settings(max_examples=15)
@given(height=st.integers(3, 20), width=st.integers(3, 20), channels=st.integers(1, 4))
def test_an_image_is_like_itself_and_unlike_others(height: int, width: int, channels: int) -> None:
    a = draw(2, height, width, channels)
    np.testing.assert_allclose(structural_similarity(a, a), 1)
    other = structural_similarity(a, draw(2, height, width, channels, seed=1))
    assert (other < 0.95).all()
    np.testing.assert_array_equal(gradient_energy_ratio(a, a), 1)


def test_noise_lowers_the_similarity_step_by_step() -> None:
    ramp = np.linspace(0, 1, 32, dtype=np.float32)
    a = np.broadcast_to(ramp[None, None, :, None], (1, 32, 32, 3))
    noise = np.random.default_rng(0).normal(size=a.shape).astype(np.float32)
    found = [structural_similarity(a, a + s * noise)[0] for s in (0.0, 0.05, 0.2, 1.0)]
    assert found == sorted(found, reverse=True) and found[0] == 1 and found[-1] < 0.2


def test_the_gradient_energy_is_that_of_differences() -> None:
    a = np.zeros((1, 3, 4, 1), np.float32)
    a[0, 1, 1] = 1.0  # four neighbours, four differences of 1
    b = np.zeros_like(a)
    b[0, 0, 0] = 3.0  # a corner has two
    np.testing.assert_allclose(gradient_energy_ratio(a, b), 2 * 9 / 4)
    np.testing.assert_allclose(gradient_energy_ratio(a, 0.5 * a + 0.3), 0.25, rtol=1e-5)


def test_what_cannot_be_compared() -> None:
    a = draw(2, 8, 8, 3)
    broken = a.copy()
    broken[0, 3, 3, 1] = np.nan
    assert np.isnan(structural_similarity(a, broken)).tolist() == [True, False]
    assert np.isnan(gradient_energy_ratio(a, broken)).tolist() == [True, False]
    assert gradient_energy_ratio(np.ones_like(a), a) == pytest.approx(np.inf)
