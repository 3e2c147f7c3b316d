"""Bounds judge intervals, and are printed and read back."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from depthjax.claims.bound import Bound
from depthjax.statistics import Interval, interval

BOUNDS = [
    (Bound.above(0), "> 0"),
    (Bound.above(1e-13), "> 1e-13"),
    (Bound(">=", low=0.5), ">= 0.5"),
    (Bound.below(0.05), "< 0.05"),
    (Bound.at_most(2), "<= 2"),
    (Bound.within(0.99, 1.01), "within 0.99 1.01"),
    (Bound.below(0.1 + 0.2), "< 0.30000000000000004"),
]


@pytest.mark.parametrize(
    ("rule", "low", "high", "verdict"),
    [
        ("> 0", 0.1, 0.5, "supported"),
        ("> 0", -0.1, 0.5, "open"),
        ("> 0", -0.5, -0.1, "contradicted"),
        ("> 0", 0.0, 0.5, "open"),
        ("> 0", -0.5, 0.0, "open"),
        (">= 0", 0.0, 0.5, "supported"),
        ("< 0.05", -0.1, 0.04, "supported"),
        ("< 0.05", -math.inf, 0.04, "supported"),
        ("< 0.05", 0.06, 0.2, "contradicted"),
        ("<= 0", -0.1, 0.0, "supported"),
        ("< 1", 0.9, 1.1, "open"),
        ("< 1", math.nan, math.nan, "not reached"),
        ("within 0.5 2", 0.5, 2.0, "supported"),
        ("within 0.5 2", 0.4, 1.0, "open"),
        ("within 0.5 2", 1.0, 2.1, "open"),
        ("within 0.5 2", 0.4, 2.1, "open"),
        ("within 0.5 2", 2.1, 2.2, "contradicted"),
        ("within 0.5 2", 0.1, 0.4, "contradicted"),
        ("within 0.5 2", math.nan, math.nan, "not reached"),
    ],
)
def test_a_bound_judges_an_interval(rule: str, low: float, high: float, verdict: str) -> None:
    assert Bound.parse(rule).judge(Interval(low, low, high, 3, 5)) == verdict


@pytest.mark.parametrize(
    ("rule", "low", "high", "verdict"),
    [
        ("> 0", 0.1, 0.5, "supported"),
        ("> 0", 0.1, 0.2, "supported"),  # 0.2 may be the truth
        ("> 0", 0.1, 0.19, "contradicted"),  # certain, and of no interest
        ("> 0", -0.1, 0.19, "contradicted"),
        ("> 0", -0.1, 0.21, "open"),
        ("< 1", 0.7, 0.9, "supported"),
        ("< 1", 0.81, 0.9, "contradicted"),
        ("< 1", 0.7, 1.1, "open"),
        ("within 0 1", 0.1, 0.7, "supported"),
        ("within 0 1", 0.05, 0.15, "contradicted"),
        ("within 0 1", -0.1, 0.9, "open"),
    ],
)
def test_an_effect_that_is_excluded_contradicts(
    rule: str, low: float, high: float, verdict: str
) -> None:
    assert Bound.parse(rule).judge(Interval(low, low, high, 3, 5), 0.2) == verdict


@pytest.mark.parametrize(("bound", "rule"), BOUNDS)
def test_a_bound_is_printed_and_read_back(bound: Bound, rule: str) -> None:
    assert str(bound) == rule and Bound.parse(rule) == bound


@pytest.mark.parametrize("rule", ["positive", "> ", "> 0 1", "within 1", "within 2 1", "", "1 <"])
def test_a_rule_has_a_relation_and_its_numbers(rule: str) -> None:
    with pytest.raises(ValueError, match="is no rule"):
        Bound.parse(rule)


@pytest.mark.parametrize(
    ("relation", "ends"),
    [(">", {"high": 1.0}), ("<", {}), ("within", {"low": 1.0}), (">", {"low": math.nan})],
)
def test_a_bound_has_the_ends_of_its_relation(relation: str, ends: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="no bound"):
        Bound(relation, **ends)


@given(
    bound=st.sampled_from([bound for bound, _ in BOUNDS if bound.relation in "<>"]),
    shift=st.floats(-3, 3),
    seed=st.integers(0, 99),
)
def test_support_is_a_small_p(bound: Bound, shift: float, seed: int) -> None:
    """Verdict and p of one interval never say different things."""
    found = interval(np.random.default_rng(seed).normal(shift, 1, size=(4, 5)))
    kept = bound.judge(found) == "supported"
    assert kept == (bound.p_value(found) < 0.025)


def test_of_two_ends_the_weaker_counts() -> None:
    values = np.random.default_rng(0).normal(size=(3, 5))
    found, bound = interval(values), Bound.within(-1, 9)
    assert bound.p_value(found) == found.p_value(-1, above=True)
    assert bound.detectable(found) == found.detectable(-1, above=True)
    exact = interval(values, fixed="exact")
    assert Bound.within(-9, 9).p_value(exact) == 0 and bound.p_value(exact) in (0, 1)
    assert math.isnan(bound.p_value(interval(values[:1])))
