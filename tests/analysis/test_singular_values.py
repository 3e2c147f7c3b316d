"""One record of a spectrum, whether all of it was computed or probed."""

import jax
import numpy as np
import pytest
from known_spectra import matrix_layer, with_spectrum

from depthjax.analysis.singular_values import (
    LEVELS,
    Probing,
    SpectralCurve,
    dense_spectrum,
    level_at_rank,
    probed_spectrum,
    spectral_curve,
    spectrum_from_values,
)

VALUES = np.concatenate([np.geomspace(4, 5e-3, 20), np.zeros(5)])


def layer_and_image():
    matrix = with_spectrum(VALUES[:20], 40, 25).astype(np.float32)
    return matrix_layer, matrix, np.zeros((1, 5, 5, 1), np.float32)


def test_dense_numbers_are_those_of_the_singular_values():
    found = dense_spectrum(*layer_and_image())
    assert (found.inputs, found.outputs) == (25, 40)
    np.testing.assert_allclose(found.largest, 4, rtol=1e-5)
    square = VALUES**2
    np.testing.assert_allclose(found.stable_rank.value, square.sum() / 16, rtol=1e-4)
    ratio = square.sum() ** 2 / (square**2).sum()
    np.testing.assert_allclose(found.participation_ratio.value, ratio, rtol=1e-4)
    np.testing.assert_array_equal(
        found.counts.low[0], [(level < VALUES / 4).sum() for level in LEVELS[:3]] + [20, 20, 20]
    )
    np.testing.assert_array_equal(found.counts.low, found.counts.high)


def test_probes_agree_with_what_is_exact():
    exact = dense_spectrum(*layer_and_image())
    found = probed_spectrum(
        jax.random.key(0),
        *layer_and_image(),
        Probing(values=3, probes=60, steps=22, moment_probes=60),
    )
    np.testing.assert_allclose(found.largest, exact.largest, rtol=1e-5)
    for name in ("stable_rank", "participation_ratio"):
        value, error = getattr(found, name)
        assert abs(value[0] - getattr(exact, name).value[0]) < 4 * error[0]
    reach = 4 * found.counts.error[:, :3] + 0.5
    assert (found.counts.low[:, :3] - reach <= exact.counts.low[:, :3]).all()
    assert (exact.counts.high[:, :3] <= found.counts.high[:, :3] + reach).all()
    assert found.least[0] >= exact.least[0] * 0.999
    assert found.condition_low[0] <= exact.condition_low[0] * 1.001


def test_the_level_at_a_rank():
    curve = spectral_curve(spectrum_from_values(VALUES[None], 25, 40))
    assert level_at_rank(curve, 1) == (1, 1)
    np.testing.assert_allclose(level_at_rank(curve, 20), 1.25e-3)
    assert level_at_rank(curve, 21) == (0, 0)  # there are but 20
    bracketed = SpectralCurve(
        np.array([1.0, 0.1, 0.01]), np.array([0.0, 2, 5]), np.array([1.0, 4, 6])
    )
    assert level_at_rank(bracketed, 3) == (0.01, 1.0)  # there may be four above 0.1
    assert level_at_rank(bracketed, 6) == (0, 0.1)
    with pytest.raises(ValueError, match="ranks begin at 1, got 0"):
        level_at_rank(curve, 0)


def test_the_level_at_a_rank_lies_between_its_ends():
    """Of known singular values, counted on a grid as probes are."""
    values = np.sort(np.exp(np.random.default_rng(0).uniform(-18, 0, 300)))[::-1]
    levels = np.geomspace(1, 1e-6, 121)
    counts = (values[:, None] > values[0] * levels).sum(0).astype(float)
    curve = SpectralCurve(levels, counts, counts)
    for rank, value in enumerate(values / values[0], start=1):
        low, high = level_at_rank(curve, rank)
        assert low <= value <= high, rank


def test_a_jacobian_of_nothing_but_zeros():
    with pytest.raises(ValueError, match="the Jacobian is 0"):
        spectrum_from_values(np.zeros((1, 4)), 4, 4)
