"""R² of predictions: its values where they are known, and its table for an interval."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from depthjax.analysis.r_squared import r_squared, r_squared_table


@given(seed=st.integers(0, 99), offset=st.floats(-5, 5))
@settings(max_examples=20)
def test_it_is_one_for_the_truth_and_zero_for_the_mean(seed, offset):
    measured = np.random.default_rng(seed).normal(size=(3, 5))
    assert r_squared(measured, measured, fitted="none") == 1
    assert r_squared(np.full((3, 5), measured.mean()), measured, fitted="none") == pytest.approx(0)
    assert r_squared(np.full((3, 5), offset), measured) == pytest.approx(0)
    # A constant error costs only what is not centred.
    assert r_squared(measured + offset, measured) == pytest.approx(1)
    cost = offset**2 / measured.var()
    assert r_squared(measured + offset, measured, fitted="none") == pytest.approx(1 - cost)
    assert r_squared(-measured, measured) == pytest.approx(-3)
    # A factor costs only where no line is fitted, which makes it the squared correlation.
    assert r_squared(offset - 2 * measured, measured, fitted="line") == pytest.approx(1)
    other = np.random.default_rng(seed + 100).normal(size=(3, 5))
    r = np.corrcoef(other.ravel(), measured.ravel())[0, 1]
    assert r_squared(other, measured, fitted="line") == pytest.approx(r**2)


def test_it_is_nan_where_nothing_varies():
    assert np.isnan(r_squared(np.arange(3.0), np.ones(3)))
    assert np.isnan(r_squared(np.array([1.0, np.nan]), np.array([1.0, 2.0])))
    assert np.isnan(r_squared(np.ones(3), np.arange(3.0), fitted="line"))
    with pytest.raises(ValueError, match=r"unknown fit 'lin'.*did you mean 'line'"):
        r_squared(np.ones(3), np.arange(3.0), fitted="lin")


def test_the_table_has_the_statistic_as_its_mean_and_keeps_pairs_together():
    random = np.random.default_rng(0)
    measured = random.normal(size=(4, 6))
    assert_allclose(r_squared_table(measured + 2, measured), 1)
    noisy = measured + random.normal(size=(4, 6))
    found = r_squared_table(noisy, measured)
    assert found.mean() == pytest.approx(r_squared(noisy, measured))
    # What leaving out the first seed changes, of both at once.
    others = [r_squared(np.delete(noisy, k, 0), np.delete(measured, k, 0)) for k in range(4)]
    of_seeds = found.mean(1) - found.mean()
    assert_allclose(of_seeds, -3 * (others - np.mean(others)), atol=1e-12)
    gain = r_squared_table(measured, measured, beyond=noisy)
    assert gain.mean() == pytest.approx(1 - found.mean())
