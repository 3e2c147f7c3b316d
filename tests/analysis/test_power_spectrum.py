"""Radial spectra of what has a known one: noise of any colour, waves, and borders that jump."""

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from depthjax.analysis.power_spectrum import radial_power_spectrum, spectral_distance
from depthjax.images import load_image
from depthjax.inversion.starts import draw_start

SIDE = 32


def white(count=64, size=SIDE, seed=0, std=0.25):
    return np.random.default_rng(seed).normal(0.5, std, (count, size, size, 3))


def pink(count=64, size=SIDE, seed=0):
    return np.asarray(draw_start(jax.random.key(seed), "pink", (count, size, size, 3)))


def slope(images):
    """Of log power over log frequency from two cycles per image on: below, the window mixes in."""
    frequency, power = radial_power_spectrum(images)
    return np.polyfit(np.log(frequency[1:]), np.log(power[:, 1:]).T, 1)[0]


@pytest.mark.parametrize("size", [16, 31, 32, 64])
def test_white_noise_has_its_variance_at_every_frequency(size):
    frequency, power = radial_power_spectrum(white(200, size))
    assert power.shape == (200, size // 2)
    assert np.all(np.diff(frequency) > 0) and frequency[0] > 0 and frequency[-1] <= 0.5
    # The lowest ring is the one from which the window's mean takes a part.
    np.testing.assert_allclose(power.mean(0)[1:], 0.25**2, rtol=0.05)


@pytest.mark.parametrize("size", [24, 32, 64])
def test_slopes_of_coloured_noise(size):
    assert np.mean(slope(white(100, size))) == pytest.approx(0, abs=0.1)
    assert np.mean(slope(pink(100, size))) == pytest.approx(-2, abs=0.1)


def test_photographs_fall_about_as_1_over_frequency_squared():
    images = np.stack([load_image(name, 128) for name in ("astronaut", "chelsea", "coffee")])
    assert np.all(np.abs(slope(images) + 2.5) < 1)


@pytest.mark.parametrize("cycles", [3, 7, 12])
def test_a_wave_stands_in_its_ring(cycles):
    rows = np.arange(SIDE)
    wave = np.sin(2 * np.pi * cycles * rows / SIDE)[:, None, None] * np.ones((SIDE, SIDE, 1))
    frequency, power = radial_power_spectrum(wave[None])
    assert power[0].argmax() == cycles - 1
    assert frequency[cycles - 1] == pytest.approx(cycles / SIDE, rel=0.05)
    # A Hann window keeps it to the next frequency on either side.
    assert power[0, cycles - 2 : cycles + 1].sum() > 0.999 * power.sum()


def test_a_border_fakes_no_slope():
    """A ramp ends where it did not begin: taken as periodic, that jump has power everywhere."""
    ramp = np.broadcast_to(np.linspace(0, 1, SIDE)[:, None, None], (SIDE, SIDE, 1))[None]
    power = radial_power_spectrum(ramp).power[0]
    assert power[SIDE // 4 :].sum() < 1e-5 * power.sum()
    periodic = np.abs(np.fft.fft(ramp[0, :, 0, 0] - 0.5)[1 : SIDE // 2 + 1]) ** 2
    assert periodic[SIDE // 4 :].sum() > 1e-2 * periodic.sum()


@given(st.floats(0.01, 50), st.floats(-5, 5), st.integers(8, 20), st.integers(8, 20))
def test_contrast_and_brightness_do_not_matter(scale, shift, height, width):
    images = np.random.default_rng(1).normal(size=(3, height, width, 2))
    references = np.random.default_rng(2).normal(size=(4, height, width, 2))
    changed = scale * images + shift
    power = radial_power_spectrum(images).power
    np.testing.assert_allclose(radial_power_spectrum(changed).power, scale**2 * power, rtol=1e-6)
    np.testing.assert_allclose(
        spectral_distance(changed, references), spectral_distance(images, references), atol=1e-6
    )


def test_bytes_are_read_as_numbers():
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3)).astype(np.uint8)
    np.testing.assert_array_equal(
        radial_power_spectrum(images).power, radial_power_spectrum(images.astype(float)).power
    )


def test_the_distance_tells_noise_from_what_is_not():
    references = white(200)
    near, far = (
        np.mean(spectral_distance(images, references)) for images in (white(seed=1), pink(seed=1))
    )
    assert near < 0.1 < 0.5 < far
    one = references[:1]
    assert spectral_distance(one, one)[0] == 0


def test_a_distance_of_1_is_a_factor_of_ten():
    """Half of the rings 10 times, half 1/10 of the references' power, up to a common factor."""
    image = white(1)
    filtered = np.fft.fft2(image, axes=(1, 2))
    assert spectral_distance(10 * image, image)[0] == pytest.approx(0, abs=1e-12)
    radius = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.fftfreq(SIDE))[None, ..., None]
    steep = np.fft.ifft2(filtered * np.where(radius > 0.25, 0.01, 1), axes=(1, 2)).real
    low, high = (radial_power_spectrum(one).power[0] for one in (steep, image))
    difference = np.log10(low / low.mean()) - np.log10(high / high.mean())
    assert spectral_distance(steep, image)[0] == pytest.approx(np.sqrt(np.mean(difference**2)))


def test_constant_images_have_no_spectrum():
    flat = np.full((2, 16, 16, 3), 0.3)
    noise = white(2, 16)
    assert np.isnan(spectral_distance(flat, noise)).all()
    with pytest.raises(ValueError, match="constant"):
        spectral_distance(noise, np.concatenate([noise, flat]))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((16, 16, 3)), "of shape"),
        (np.zeros((0, 16, 16, 3)), "of shape"),
        (np.zeros((1, 7, 16, 3)), "8×8 or more"),
        (np.full((1, 16, 16, 3), np.nan), "not finite"),
    ],
)
def test_what_has_no_spectrum_is_refused(images, message):
    with pytest.raises(ValueError, match=message):
        radial_power_spectrum(images)


def test_references_have_the_same_size():
    with pytest.raises(ValueError, match="bring them to one size"):
        spectral_distance(white(1, 16), white(1, 32))
