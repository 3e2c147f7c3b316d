"""Bits at the noise of ρ: exact where everything is known, and the same whatever the units."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from known_spectra import matrix_layer, with_spectrum

from depthjax.analysis.bits import PRIOR_STD, information_of, layer_bits, noise_std_of
from depthjax.analysis.singular_values import Probing, dense_spectrum, probed_spectrum
from depthjax.inversion.reference import REFERENCE_STD, Reference

KEY = jax.random.key(3)


def isometry(outputs, scale=1.0):
    """A linear layer of 16×16 inputs that keeps all distances, but for its scale."""
    random = np.random.default_rng(0)
    matrix = np.linalg.qr(random.normal(size=(outputs, 256)))[0]
    return (scale * matrix).astype(np.float32)


def images(count=2):
    return np.random.default_rng(1).uniform(size=(count, 16, 16, 1)).astype(np.float32)


def test_an_isometry_holds_what_its_noise_leaves_of_every_pixel():
    """Of m = n = 256 equal singular values, σ is the noise of a pixel: n log₂ √(1 + s² / σ_r²)."""
    found = layer_bits(KEY, matrix_layer, isometry(256), images(), probes=2, steps=2)
    np.testing.assert_allclose(found.noise_std, REFERENCE_STD, rtol=0.05)  # eight random copies
    signal = (PRIOR_STD / found.noise_std) ** 2
    for bracket, exact in (
        (found.bits, 128 * np.log2(1 + signal)),
        (found.effective_dimension, 256 * signal / (1 + signal)),
    ):
        np.testing.assert_allclose(bracket.low, exact, rtol=1e-5)
        np.testing.assert_allclose(bracket.high, exact, rtol=1e-5)


def test_a_layer_in_other_units_holds_as_many_bits():
    one, other = (
        layer_bits(KEY, matrix_layer, isometry(256, scale), images(), probes=2, steps=2)
        for scale in (1.0, 1000.0)
    )
    np.testing.assert_allclose(one.bits.low, other.bits.low, rtol=1e-4)
    np.testing.assert_allclose(1000 * one.noise_std, other.noise_std, rtol=1e-4)


def test_less_noise_leaves_more_bits():
    matrix = with_spectrum(np.geomspace(2, 1e-2, 40), 60, 256).astype(np.float32)
    bits = [
        layer_bits(KEY, matrix_layer, matrix, images(1), ratio=ratio, probes=3, steps=40).bits
        for ratio in (1.0, 0.5, 0.1)
    ]
    gained = np.diff([bracket.low[0] for bracket in bits])
    assert (gained > 0).all()
    # Halving σ gives at most a bit to each of 40 directions, as far as the probes know these.
    assert gained[0] < 40 + 4 * bits[1].error[0]


def test_what_is_exact_lies_within_what_probes_say():
    matrix = with_spectrum(np.geomspace(4, 5e-3, 20), 40, 25).astype(np.float32)
    image = np.zeros((1, 5, 5, 1), np.float32)
    noise = np.array([0.3])
    exact = information_of(dense_spectrum(matrix_layer, matrix, image), noise)
    probing = Probing(values=3, probes=16, steps=12, moment_probes=2)
    found = information_of(probed_spectrum(KEY, matrix_layer, matrix, image, probing), noise)
    for one, other in zip(found, exact, strict=True):
        by_chance = 4 * one.error
        assert one.low - by_chance <= other.low <= one.high + by_chance and other.error == 0


def test_the_noise_of_a_ratio_is_its_distance_spread_evenly():
    reference = Reference(*(jnp.array([6.0, 3.0]),) * 4)
    noise = noise_std_of(reference, 9, ratio=0.5)
    np.testing.assert_allclose(noise, [1.0, 0.5])
    drawn = noise[0] * np.random.default_rng(0).normal(size=(4000, 9))
    assert np.linalg.norm(drawn, axis=1).mean() == pytest.approx(0.5 * 6, rel=0.05)
    with pytest.raises(ValueError, match="noise_std must be positive and finite"):
        layer_bits(KEY, matrix_layer, isometry(256), images(), ratio=0.0, probes=2, steps=2)
