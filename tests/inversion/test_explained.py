"""r² of pictures whose answers are known."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from depthjax.analysis.power_spectrum import radial_power_spectrum
from depthjax.images import load_images
from depthjax.images.luminance import LUMA, luminance
from depthjax.inversion.explained import (
    OCTAVES,
    contrast_explained,
    explained,
    explained_by_octave,
)

SIDE = 64


@lru_cache
def photograph() -> np.ndarray:
    return luminance(load_images(["astronaut"], SIDE)[1][0])


def noise(shape: tuple[int, ...] = (SIDE, SIDE), seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def stripes(period: float, side: int = SIDE) -> np.ndarray:
    """One frequency of the cosine transform; `2·side / period` is a whole number."""
    return np.broadcast_to(np.cos(2 * np.pi / period * (np.arange(side) + 0.5)), (side, side))


def both(target: np.ndarray, image: np.ndarray) -> list[float]:
    return [explained(target, image), *explained_by_octave(target, image)]


@settings(max_examples=20)
@given(brightness=st.floats(-2, 2), contrast=st.floats(0.01, 50))
def test_brightness_and_contrast_do_not_count_but_a_negative_does(
    brightness: float, contrast: float
) -> None:
    a = photograph()
    np.testing.assert_allclose(both(a, brightness + contrast * a), 1, rtol=1e-9)
    assert both(a, brightness - contrast * a) == [0] * 5


@given(height=st.integers(2, 40), width=st.integers(2, 40), seed=st.integers(0, 9))
def test_it_is_the_share_that_the_best_line_explains(height: int, width: int, seed: int) -> None:
    a, b = noise((height, width), seed), noise((height, width), seed + 10)
    slope, offset = np.polyfit(b.ravel(), a.ravel(), 1)
    left = np.square(a - offset - slope * b).sum() / np.square(a - a.mean()).sum()
    np.testing.assert_allclose(explained(a, b), 1 - left if slope > 0 else 0, atol=1e-9)


def test_white_noise_takes_what_theory_says_and_fine_details_first() -> None:
    """Noise of variance v leaves V / (V + v) of a picture's variance V, over all and in a band."""
    a = photograph()
    found = []
    for std in (0.0, 0.05, 0.2, 0.8):
        found.append([np.mean([both(a, a + std * noise(seed=s)) for s in range(8)], axis=0)])
        expected = a.var() / (a.var() + std**2)
        np.testing.assert_allclose(found[-1][0][0], expected, rtol=0.05)
    falling = np.diff(np.concatenate(found), axis=0)
    assert (falling < 0).all()
    assert (np.diff(found[2][0][1:]) > 0).all()  # coarser bands keep more


def test_blur_takes_the_finest_octave_first() -> None:
    a = photograph()
    for sigma in (1, 2, 4):
        kept = explained_by_octave(a, ndimage.gaussian_filter(a, sigma, mode="reflect"))
        assert (np.diff(kept) > 0).all()
    assert kept[0] < 0.01 < 0.5 < kept[3]


def test_scrambled_phases_keep_the_spectrum_and_leave_nothing_to_see() -> None:
    a = photograph()
    phases = np.exp(1j * np.angle(np.fft.fft2(noise())))
    found = []
    for seed in range(6):
        phases = np.exp(1j * np.angle(np.fft.fft2(noise(seed=seed))))
        scrambled = np.fft.ifft2(np.fft.fft2(a) * phases).real
        found.append(both(a, scrambled))
        powers = [np.abs(np.fft.fft2(x)) for x in (a, scrambled)]
        np.testing.assert_allclose(*powers, atol=1e-9)
        rings = [radial_power_spectrum(x[None, ..., None]).power[0] for x in (a, scrambled)]
        assert np.abs(np.log(rings[0] / rings[1])[4:]).mean() < 0.6
    assert np.mean(found, axis=0)[:4].max() < 0.05


def test_a_turned_hue_changes_nothing() -> None:
    """Chroma turned by half a circle at the same luminance."""
    a = np.asarray(load_images(["astronaut"], SIDE)[1][0], np.float64)
    bright = luminance(a)[..., None]
    turned = 2 * bright - a
    assert np.abs(turned - a).max() > 0.3
    np.testing.assert_allclose(both(luminance(a), luminance(turned)), 1, rtol=1e-9)


def test_octaves_add_up_and_see_their_own_periods_alone() -> None:
    middles = [64 / 11, 128 / 11]  # near the middles of two octaves
    fine, coarse = map(stripes, middles)
    found = explained_by_octave(fine + coarse, fine + 3 * coarse)
    assert found[1] > 0.9 and found[2] > 0.9
    # Of one frequency, every band that has a share of it sees all of it, and no other band any.
    alone = explained_by_octave(stripes(8), stripes(8) + stripes(32))
    np.testing.assert_allclose(alone[1], 1, rtol=1e-9)
    assert np.isnan(alone[[0, 3]]).all()
    np.testing.assert_allclose(explained(stripes(8), stripes(8) + stripes(32)), 1 / 2, rtol=1e-9)


def test_a_band_limited_picture_has_the_r2_of_its_band_over_all() -> None:
    """All its frequencies are in the middle of the octave from 4 to 8 pixels, or very near it."""
    near = [2 * SIDE / k for k in (22, 23)]
    one, other = map(stripes, near)
    target, image = one + other.T, one - 0.5 * other.T + 0.3 * one.T
    np.testing.assert_allclose(
        explained_by_octave(target, image)[1], explained(target, image), rtol=0.02
    )


def test_borders_do_not_leak() -> None:
    """A ramp jumps between its ends; repeated instead of mirrored it would hide the texture."""
    ramp = np.broadcast_to(np.linspace(0, 1, SIDE), (SIDE, SIDE))
    texture = 0.02 * noise()
    assert (explained_by_octave(ramp + texture, texture)[:2] > 0.9).all()
    jump = np.abs(np.fft.fft(ramp[0]))[SIDE // 8 : SIDE // 4]  # periods from 4 to 8
    assert np.square(jump).sum() > 8 * 0.02**2 * SIDE * len(jump)


@pytest.mark.parametrize(("side", "known"), [(3, 0), (4, 1), (29, 3), (32, 4)])
def test_small_images_have_no_long_periods(side: int, known: int) -> None:
    a = noise((side, side + 9))
    found = explained_by_octave(a, a)
    assert np.isfinite(found).tolist() == [index < known for index in range(len(OCTAVES))]
    assert explained(a, a) == pytest.approx(1)


@pytest.mark.parametrize(
    "flat", [lambda a: np.zeros_like(a), lambda a: np.full_like(a, 0.1), lambda a: 0 * a + 1 / 3]
)
def test_what_does_not_vary(flat: Callable[[np.ndarray], np.ndarray]) -> None:
    a = photograph()
    constant = flat(a).astype(np.float32).astype(np.float64)
    assert both(a, constant) == [0] * 5
    assert np.isnan(both(constant, a)).all()


def test_luminance_weighs_three_channels_and_averages_others() -> None:
    colours = noise((5, 4, 3))
    np.testing.assert_allclose(luminance(colours)[1, 2], colours[1, 2] @ LUMA)
    assert sum(LUMA) == pytest.approx(1)
    for channels in (1, 2, 4):
        other = noise((5, 4, channels))
        np.testing.assert_allclose(luminance(other), other.mean(-1))


def test_edges_beside_their_places_or_turned_are_seen_by_their_contrast_alone() -> None:
    """One pixel of displacement, or a dark side for a bright one, and pixels do not correlate."""
    a = photograph()
    fine = a - ndimage.gaussian_filter(a, 2, mode="reflect")
    moved = np.roll(fine, 1, axis=1) - np.roll(fine, 1, axis=0)
    turned = fine * np.where(noise((8, 8)).repeat(8, 0).repeat(8, 1) > 0, 1, -1)
    for picture in (moved, turned):
        assert explained(a, picture) < 0.05
        assert contrast_explained(a, picture) > 0.4
    assert contrast_explained(a, -3 * a + 7) == pytest.approx(1, rel=1e-9)
    phases = np.exp(1j * np.angle(np.fft.fft2(noise())))
    scrambled = np.fft.ifft2(np.fft.fft2(a) * phases).real
    for nothing in (noise(), scrambled, ndimage.gaussian_filter(noise(), 1)):
        assert contrast_explained(a, nothing) < 0.05


def test_contrast_of_a_flat_target_is_unknown_and_of_a_flat_image_none() -> None:
    a, flat = photograph(), np.full((SIDE, SIDE), 0.3)
    assert np.isnan(contrast_explained(flat, a))
    assert contrast_explained(a, flat) == 0
