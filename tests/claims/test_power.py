"""Power by simulation: no effect is supported in 5 % of runs at most, one of interest in 80 %."""

import json
from dataclasses import replace

import numpy as np
import pytest
from study_findings import STUDIES

from depthjax.claims.beside import BESIDE
from depthjax.claims.bound import Bound
from depthjax.claims.cells import Cells
from depthjax.claims.claim import Part
from depthjax.claims.judging import NOT_DECIDABLE, SUPPORTED, UNDECIDED, judge
from depthjax.claims.paper import CLAIMS
from depthjax.claims.power import (
    Pilot,
    _supported,
    announced,
    error_rate,
    pilot_of,
    pilots_of,
    power,
    support_rate,
    undecidable,
)
from depthjax.statistics import Interval

STUDIED = [finding for findings in STUDIES.values() for finding in findings()]
KINDS = {(one.claim, one.part): one.measured for one in STUDIED if one.part and one.votes}


def pilot(claim: str, name: str, size: float) -> Pilot:
    """Seeds, images and cells that each vary by `size` smallest effects of a part."""
    part, cells = (CLAIMS | BESIDE)[claim].parts[name], KINDS[claim, name]
    scale = part.effect
    if cells.logarithmic:
        ends = [end + sign * part.effect for end, sign in zip(part.bound.ends, (1,), strict=False)
                if part.bound.relation.startswith(">")]  # fmt: skip
        wanted = ends[0] if ends else part.bound.high - part.effect
        scale = abs(np.log(wanted / part.bound.ends[-1]))
    return Pilot(*[size * scale] * 3, cells.fixed, cells.logarithmic)


@pytest.mark.parametrize("claim", CLAIMS)
def test_each_claim_errs_seldom_and_finds_what_is_of_interest(claim: str) -> None:
    """Where chance is half the smallest effect, 20 seeds × 20 photographs decide each part."""
    for name, part in CLAIMS[claim].parts.items():
        if KINDS[claim, name].fixed == "exact":  # no chance, so neither errors nor power
            assert part.effect == 0
            continue
        for shape in ((3, 3), (5, 3), (20, 20)):
            for size in (0.25, 0.5, 2):
                assert error_rate(part, pilot(claim, name, size), shape) <= 0.05
        assert power(part, pilot(claim, name, 0.5), (20, 20)) >= 0.8, name
        assert power(part, pilot(claim, name, 2), (3, 3)) < 0.5, name


def test_simulated_verdicts_are_those_of_findings() -> None:
    """The decision of many intervals at once is `Bound.judge` of each."""
    random = np.random.default_rng(0)
    for rule, effect in (("> 0", 0.3), ("< 0", 0.3), ("within -1 1", 0.5)):
        middle, width = random.normal(size=300), random.exponential(0.5, size=300)
        low, high = middle - width, middle + width
        many = _supported(Bound.parse(rule), effect, low, high)
        each = [
            Bound.parse(rule).judge(Interval(m, a, b, 3, 3), effect) == "supported"
            for m, a, b in zip(middle, low, high, strict=True)
        ]
        assert many.tolist() == each and 10 < sum(each) < 290


def test_more_seeds_and_images_and_less_chance_give_more_power() -> None:
    part = Part("", "> 0", 1.0, "")
    small, large = Pilot(0.5, 0.5, 0.5), Pilot(2.0, 2.0, 2.0)
    assert power(part, small, (3, 3)) < power(part, small, (5, 5)) < power(part, small, (20, 20))
    assert power(part, large, (5, 5)) < power(part, small, (5, 5))
    assert support_rate(part, small, (5, 5), 9.0) > 0.99
    for shape in ((2, 5), (5, 2)):  # of fewer than three there is no interval
        assert support_rate(part, small, shape, 9.0) == 0
    # One network that is meant itself: photographs alone.
    fixed = Pilot(0.0, 0.5, 0.0, "seeds")
    assert power(part, fixed, (1, 10)) > 0.95
    exact = Pilot(0.0, 0.0, 0.0, "exact")
    assert support_rate(part, exact, (1, 1), 1.0) == 1
    assert support_rate(part, exact, (1, 1), -1.0) == 0


def test_a_pilot_tells_what_seeds_images_and_cells_do() -> None:
    random = np.random.default_rng(0)
    values = random.normal(size=(300, 1)) + 2 * random.normal(size=(1, 300))
    values = values + 0.5 * random.normal(size=(300, 300))
    found = pilot_of(Cells.of(values))
    assert found[:3] == pytest.approx((1, 2, 0.5), rel=0.15)
    holes = values.copy()
    holes[::7, ::5] = np.nan
    assert pilot_of(Cells.of(holes))[:3] == pytest.approx(found[:3], rel=0.1)
    row = pilot_of(Cells.of(values[:1], fixed="seeds"))
    assert row[0] == row[2] == 0 and row[1] == pytest.approx(values[0].std(ddof=1))
    assert row.fixed == "seeds"
    same = pilot_of(Cells.of(np.exp(values[:3, :3]), logarithmic=True))
    assert same.logarithmic and same[:3] == pytest.approx(pilot_of(Cells.of(values[:3, :3]))[:3])


def test_what_is_announced_and_what_becomes_of_it() -> None:
    pilots = json.loads(json.dumps(pilots_of(judge(STUDIED))))
    told = announced([CLAIMS["C8"], CLAIMS["C4"], CLAIMS["C3"]], pilots, (3, 3))
    assert told["C8"]["fewer_steps"] > 0.8 and set(told["C4"].values()) == {1.0}
    assert set(told["C4"]) == {"narrow_stays_lost", "wide_recovered"}  # those with a vote
    assert announced([CLAIMS["C8"]], {}, (3, 3)) == {"C8": {}}
    pilots["C3"]["image_stays_lost"]["images"] = 9.0
    weak = undecidable(announced([CLAIMS["C8"], CLAIMS["C3"]], pilots, (3, 3)))
    assert set(weak) == {"C3"} and undecidable({"C1": {}, "C2": {"a": 0.9}}) == {}

    found = [one for one in STUDIED if one.claim == "C3" and one.part]
    noise = np.random.default_rng(0).normal(size=(3, 5))
    opened = [replace(one, measured=Cells.of(noise)) for one in found]
    (without,), (told_so,) = (judge(opened, [CLAIMS["C3"]], weak=names) for names in ({}, weak))
    assert (without.verdict, told_so.verdict) == (UNDECIDED, NOT_DECIDABLE)
    # What was announced may come out all the same.
    (decided,) = judge(found, [CLAIMS["C3"]], weak=weak)
    assert decided.verdict == SUPPORTED
