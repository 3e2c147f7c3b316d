"""Bootstrap intervals: they hold the truth as often as they say."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthjax.statistics import bootstrap, bootstrap_ratio, interval_of, mean


@given(st.integers(1, 5), st.integers(1, 6), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=30)
def test_the_interval_lies_around_the_estimate(seeds, images, seed):
    values = np.random.default_rng(seed).normal(size=(seeds, images))
    found = bootstrap(values, draws=400)
    assert found.low <= found.estimate <= found.high
    if seeds == 1:
        assert values.min() - 1e-12 <= found.low <= found.high <= values.max() + 1e-12
    assert found.estimate == pytest.approx(values.mean())
    assert (found.seeds, found.images) == (seeds, images)


def test_coverage_of_crossed_effects():
    """Rows and columns share effects: pooled resampling would cover far less than 95 %."""
    random = np.random.default_rng(0)
    crossed, pooled = [], []
    for trial in range(120):
        values = random.normal(size=(12, 1)) + random.normal(size=(1, 12))
        values = values + random.normal(size=(12, 12))
        found = bootstrap(values, draws=200, seed=trial)
        crossed.append(found.low <= 0 <= found.high)
        flat = bootstrap(values.reshape(1, -1), draws=200, seed=trial)
        pooled.append(flat.low <= 0 <= flat.high)
    assert np.mean(crossed) > 0.85 > 0.7 > np.mean(pooled)


def test_the_same_seed_gives_the_same_interval():
    values = np.random.default_rng(1).normal(size=(1, 5))
    assert bootstrap(values) == bootstrap(values)
    assert bootstrap(values, seed=1) != bootstrap(values)


def test_a_wider_level_gives_a_wider_interval():
    values = np.random.default_rng(1).normal(size=(3, 5))
    narrow, wide = bootstrap(values, level=0.5), bootstrap(values, level=0.99)
    assert wide.low <= narrow.low <= narrow.high <= wide.high


def test_nan_is_left_out():
    values = np.array([[1.0, np.nan], [3.0, np.nan]])
    assert mean(values) == 2
    assert bootstrap(values).estimate == 2
    nothing = bootstrap(np.full((2, 2), np.nan))
    assert all(math.isnan(number) for number in nothing[:3])


@given(st.floats(0.01, 100), st.integers(1, 4), st.integers(1, 6))
@settings(deadline=None, max_examples=20)
def test_a_constant_ratio_is_found_whatever_the_values(factor, seeds, images):
    values = np.random.default_rng(0).uniform(0.1, 10, (seeds, images))
    found = bootstrap_ratio(factor * values, values, draws=50)
    assert found[:3] == pytest.approx((factor,) * 3)
    assert (found.seeds, found.images) == (seeds, images)


def test_few_seeds_that_differ_by_chance_are_no_effect():
    """Percentiles of three seeds miss the truth in a quarter of all cases, here in 5 %."""
    random = np.random.default_rng(0)
    missed, one_sided = [], []
    for trial in range(150):
        values = random.normal(size=(3, 1)) + 0.1 * random.normal(size=(3, 8))
        found = bootstrap(values, draws=100, seed=trial)
        missed.append(not found.low <= 0 <= found.high)
        # All that percentiles of resampled seeds could ever reach.
        of_seeds = values.mean(1)
        one_sided.append(of_seeds.min() > 0 or of_seeds.max() < 0)
        ratios = bootstrap_ratio(np.exp(values), np.ones((3, 8)), draws=100, seed=trial)
        np.testing.assert_allclose(ratios[:3], np.exp(found[:3]), rtol=1e-9)
    assert np.mean(missed) < 0.1 < 0.18 < np.mean(one_sided)


def test_the_ratio_s_mean_is_geometric_and_of_whole_pairs():
    values, others = np.array([[8.0, 1.0, 0.0, 3.0]]), np.array([[1.0, 2.0, 1.0, math.nan]])
    assert bootstrap_ratio(values, others).estimate == pytest.approx(2.0)
    inverse = bootstrap_ratio(others, values)
    assert inverse.estimate == pytest.approx(0.5)
    assert math.isnan(bootstrap_ratio(values[:, 2:], others[:, 2:]).estimate)


def test_an_empty_table_is_refused():
    with pytest.raises(ValueError, match="no values"):
        bootstrap(np.empty((0, 3)))


def test_means_of_all_tables_at_once_are_those_of_each():
    values = np.random.default_rng(0).normal(size=(3, 4))
    values[0, 1] = values[2] = np.nan
    once = bootstrap(values)
    each = bootstrap(values, lambda table: mean(table))
    np.testing.assert_allclose(once, each, rtol=1e-12)
    assert np.isnan(bootstrap(np.full((2, 2), np.nan)).low)


def test_geometric_means() -> None:
    values = np.array([[1.0, 100.0], [1.0, 100.0]])
    found = interval_of(values, logarithmic=True)
    assert found.estimate == pytest.approx(10)
    assert found.low == pytest.approx(1) and found.high == pytest.approx(100)
    assert interval_of(values).estimate == pytest.approx(50.5)
