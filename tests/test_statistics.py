"""Intervals err as seldom as they say, whatever of seeds and images makes numbers differ."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import nct, t

from depthjax.statistics import (
    Interval,
    as_means,
    cautious,
    depth_slopes,
    estimates,
    finite_median,
    interval,
    interval_of,
    mean_errors,
)

SHAPES = [(3, 3), (3, 5), (5, 3), (3, 10)]
EFFECTS = {
    "cells alone": (0, 0, 1),
    "seeds": (1, 0, 0.05),
    "images": (0, 1, 0.05),
    "both": (1, 1, 0.1),
    "both and cells": (1, 1, 1),
}


def tables(shape: tuple[int, int], effects: tuple[float, ...], draws: int = 20_000) -> np.ndarray:
    """Random tables around 0: what seeds, images and cells by themselves do."""
    random = np.random.default_rng(0)
    sizes = (draws, shape[0], 1), (draws, 1, shape[1]), (draws, *shape)
    return sum(
        effect * random.normal(size=size) for effect, size in zip(effects, sizes, strict=True)
    )


def test_a_median_is_of_what_is_known():
    assert finite_median([[1, math.inf], [math.nan, 3]]) == 2
    assert math.isnan(finite_median([math.nan])) and math.isnan(finite_median([]))


@pytest.mark.parametrize("effects", EFFECTS.values(), ids=EFFECTS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_without_an_effect_one_in_twenty_intervals_at_most_shows_one(
    shape: tuple[int, int], effects: tuple[float, ...]
) -> None:
    """On either side; resampling three photographs erred in 22 % where images differ."""
    estimate, error, freedom = mean_errors(tables(shape, effects))
    assert (estimate > t.ppf(0.975, freedom) * error).mean() < 0.05
    assert (estimate < -t.ppf(0.975, freedom) * error).mean() < 0.05


def test_where_one_factor_alone_differs_the_error_is_exact() -> None:
    """Student's t of seeds that all images agree on: 2.5 % on either side, no less."""
    estimate, error, freedom = mean_errors(tables((3, 5), (1, 0, 1e-3)))
    assert np.quantile(freedom, 0.9) == pytest.approx(2, rel=1e-2)
    above = (estimate > t.ppf(0.975, freedom) * error).mean()
    assert above == pytest.approx(0.025, abs=0.004)


@given(st.integers(3, 6), st.integers(3, 6), st.integers(0, 99))
@settings(deadline=None, max_examples=30)
def test_the_variance_is_that_of_seed_means_and_image_means(seeds, images, seed):
    values = np.random.default_rng(seed).normal(size=(seeds, images))
    found = interval(values)
    of_seeds = values.mean(1).var(ddof=1) / seeds
    of_images = values.mean(0).var(ddof=1) / images
    total = of_seeds + of_images
    assert found.error == pytest.approx(math.sqrt(total))
    freedom = total**2 / (of_seeds**2 / (seeds - 1) + of_images**2 / (images - 1))
    assert found.freedom == pytest.approx(freedom)
    assert found.estimate == pytest.approx(values.mean())
    assert (found.seeds, found.images, found.missing) == (seeds, images, 0)
    assert found.high - found.estimate == pytest.approx(t.ppf(0.975, freedom) * found.error)


def test_nothing_follows_from_a_few_numbers_or_from_none_that_differ() -> None:
    few = [np.array([[2.83]]), np.ones((3, 5)), np.arange(10.0).reshape(2, 5)]
    few += [np.arange(10.0).reshape(5, 2), np.arange(5.0)[None], np.arange(5.0)[:, None]]
    one = np.full((3, 5), np.nan)
    one[1, 1] = 7
    for values in [*few, one, np.full((3, 5), np.nan)]:
        assert math.isnan(interval(values).low) and math.isnan(interval(values).high)
    assert interval(one)[3:6] == (1, 1, 14) and interval(one).estimate == 7
    with pytest.raises(ValueError, match="no values"):
        interval(np.empty((0, 3)))


def test_a_fifth_may_be_missing_and_no_more() -> None:
    values = np.random.default_rng(0).normal(size=(5, 5))
    values[[0, 1, 2, 3, 4], [0, 1, 2, 3, 4]] = np.nan
    found = interval(values)
    assert math.isfinite(found.low) and found.missing == 5
    assert found.estimate == pytest.approx(np.nanmean(values))
    # By its definition: each seed and each image is left out once.
    total = 0.0
    for axis in (0, 1):
        without = [np.nanmean(np.delete(values, k, axis)) for k in range(5)]
        total += 4 / 5 * np.square(without - np.mean(without)).sum()
    assert found.error == pytest.approx(math.sqrt(total))
    values[0, 1] = np.nan
    assert math.isnan(interval(values).low)
    # A seed that knows nothing is no seed.
    gone = np.random.default_rng(0).normal(size=(6, 5))
    gone[0] = np.nan
    assert interval(gone).seeds == 5 and interval(gone).missing == 5


def test_what_is_fixed_is_no_error() -> None:
    random = np.random.default_rng(0)
    values = 100 * random.normal(size=(4, 1)) + random.normal(size=(4, 6))
    of_images = values.mean(0)
    found = interval(values, fixed="seeds")
    assert found.error == pytest.approx(of_images.std(ddof=1) / math.sqrt(6))
    assert found.freedom == pytest.approx(5)
    assert found.error < interval(values).error / 10
    assert interval(values.T, fixed="images")[:3] == pytest.approx(found[:3])
    # One network: its photographs are enough.
    assert math.isfinite(interval(values[:1], fixed="seeds").low)
    assert math.isnan(interval(values[:1]).low)


def test_the_plan_s_interval_is_short_where_seeds_differ_most_and_the_cautious_one_is_not() -> None:
    """As the head of the module says: 92 of 100, in place of 95, and at least 95."""
    values = tables((3, 10), (1, 0.3, 0.3), 40_000)
    estimate, error, freedom = mean_errors(values)
    held = (np.abs(estimate) < t.ppf(0.975, freedom) * error).mean()
    assert 0.92 < held < 0.94
    found = [cautious(table) for table in values[:2000]]
    assert np.mean([one.low < 0 < one.high for one in found]) > 0.95


def test_a_cautious_interval_adds_what_seeds_and_images_reach_by_themselves() -> None:
    values = np.random.default_rng(0).normal(1, 1, size=(3, 6)) + np.array([[0.0], [1.0], [3.0]])
    found = cautious(values)
    reach = [interval(values, fixed=other).high - values.mean() for other in ("seeds", "images")]
    assert found.high - found.estimate == pytest.approx(math.hypot(*reach))
    assert found.estimate - found.low == pytest.approx(math.hypot(*reach))
    ratio = cautious(values, logarithmic=True)
    assert ratio[:3] == pytest.approx(np.exp(found[:3]))
    # One kind of sample alone, and no sample at all: the plan's interval.
    for fixed in ("seeds", "images", "exact"):
        assert cautious(values, fixed=fixed) == interval(values, fixed=fixed)
    assert math.isnan(cautious(values[:2]).low)


def test_what_is_exact_has_its_range_and_needs_every_cell() -> None:
    values = np.array([[1.0, 2.0, 6.0]])
    assert interval(values, fixed="exact")[:3] == (3, 1, 6)
    assert interval(values[:, :1], fixed="exact")[:3] == (1, 1, 1)
    missing = np.array([[1.0, np.nan]])
    assert math.isnan(interval(missing, fixed="exact").low)


def test_p_values_turn_where_intervals_do() -> None:
    values = np.random.default_rng(0).normal(1, 1, size=(4, 6))
    for logarithmic in (False, True):
        found = interval(values, logarithmic=logarithmic)
        assert found.p_value(found.low, above=True) == pytest.approx(0.025)
        assert found.p_value(found.high, above=False) == pytest.approx(0.025)
        assert found.p_value(found.estimate, above=True) == pytest.approx(0.5)
    assert math.isnan(interval(values[:1]).p_value(0, above=True))
    assert interval(values, logarithmic=True).p_value(0, above=True) == 0  # no mean is that low
    exact = interval(values, fixed="exact")
    assert exact.p_value(values.min() - 1, above=True) == 0
    assert exact.p_value(values.mean(), above=True) == 1


def test_detectable_effects_are_found_in_four_of_five_runs() -> None:
    """By SciPy's non-central t; the half-width itself is found in every second run."""
    found = interval(np.random.default_rng(0).normal(size=(3, 5)))
    reach = t.ppf(0.975, found.freedom)
    shift = found.detectable(0, above=True) / found.error
    assert nct.sf(reach, found.freedom, shift) == pytest.approx(0.8, abs=1e-3)
    assert shift > 1.2 * reach
    logarithms = np.random.default_rng(0).normal(size=(3, 5))
    ratio = interval(logarithms, logarithmic=True)
    plain = interval(logarithms).detectable(0, above=True)
    assert ratio.detectable(2, above=True) == pytest.approx(2 * math.expm1(plain))
    assert ratio.detectable(2, above=False) == pytest.approx(-2 * math.expm1(-plain))


def test_any_statistic_becomes_a_mean_with_the_jackknife_s_error() -> None:
    random = np.random.default_rng(0)
    values = random.normal(size=(4, 6)) + random.normal(size=(4, 1))
    np.testing.assert_allclose(
        interval(as_means(values, np.mean))[:3], interval(values)[:3], rtol=1e-12
    )

    def spread(table: np.ndarray) -> float:
        return float(np.ptp(table) ** 2)

    found = interval(as_means(values, spread))
    assert found.estimate == pytest.approx(spread(values))
    total = 0.0
    for axis, size in enumerate(values.shape):
        without = np.array([spread(np.delete(values, k, axis)) for k in range(size)])
        total += (size - 1) / size * np.square(without - without.mean()).sum()
    assert found.error == pytest.approx(math.sqrt(total))


def test_for_figures_few_seeds_are_those_that_are_meant() -> None:
    values = np.array([[1.0, 100.0, 10.0]])
    found = interval_of(values, logarithmic=True)
    assert found.estimate == pytest.approx(10) and found.low < 10 < found.high
    assert found[:3] == pytest.approx(interval_of(np.repeat(values, 2, 0), logarithmic=True)[:3])
    assert interval_of(values.T, logarithmic=True)[:3] == pytest.approx(found[:3])
    assert interval_of(values).estimate == pytest.approx(37)
    assert math.isnan(interval_of(values[:, :2]).low)
    with_zero = interval_of(np.array([[1.0, 100.0, 10.0, 0.0]]), logarithmic=True)
    assert with_zero.missing == 1 and math.isnan(with_zero.low)


def test_a_table_of_tables_has_their_intervals_in_place() -> None:
    values = np.random.default_rng(0).lognormal(size=(2, 4, 3, 5))
    for logarithmic in (False, True):
        found = estimates((iter(row) for row in values), logarithmic=logarithmic)
        assert found.shape == (2, 4, 3)
        expected = interval_of(values[1, 2], logarithmic=logarithmic)
        assert tuple(found[1, 2]) == (expected.estimate, expected.low, expected.high)
    several, one = estimates([[values[0, 0]], [values[0, 0, :1]]])[:, 0]
    assert tuple(one) == interval_of(values[0, 0, :1])[:3] != tuple(several)


def test_an_interval_of_given_errors_is_student_s() -> None:
    found = Interval.of(1.0, 0.5, 4.0, (3, 5, 0))
    assert found.high == pytest.approx(1 + 0.5 * t.ppf(0.975, 4))
    assert Interval.of(1.0, 0.5, 4.0, (3, 5, 0), logarithmic=True).estimate == pytest.approx(math.e)


def test_slopes_on_depth() -> None:
    values = np.array([[1.0, 0], [3, 1], [5, np.inf]])
    np.testing.assert_allclose(depth_slopes(values), [2, np.nan])
