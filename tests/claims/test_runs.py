"""Which of several runs judges a claim, and what would decide an open part."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from depthjax.claims.cells import Cells
from depthjax.claims.findings import Finding
from depthjax.claims.judging import NOT_DECIDABLE, NOT_RUN, SUPPORTED, UNDECIDED, judge
from depthjax.claims.paper import CLAIMS, bound_of
from depthjax.claims.runs import (
    StoredRun,
    judge_alone,
    judge_together,
    judging_runs,
    passed_over,
    sample_needed,
    stored_run,
)

CLAIM, PART = "C3", "image_stays_lost"


def found(
    middle: float, spread: float = 0.001, part: str = PART, aside: str = "", network: str = ""
) -> Finding:
    noise = np.random.default_rng(0).normal(size=(3, 5))
    return Finding(
        claim=CLAIM,
        part=part,
        network=network,
        quantity="elasticity",
        bound=bound_of(CLAIM, PART),
        measured=Cells.of(middle + spread * (noise - noise.mean())),
        aside=aside,
    )


def run(name: str, size: int | None, *findings: Finding, **power) -> StoredRun:
    config = {"size": size, "environment": {"command": ["experiments/depth.py"]}}
    return StoredRun(name, Path(name), config, findings, power)


def test_the_run_with_the_largest_images_judges():
    small, large = run("a", 32, found(0.9)), run("b", 224, found(0.0))
    beside = run("c", 299, found(0.9, part=""), found(0.9, aside="control"))
    none = run("d", None, found(0.9))
    runs = [small, large, beside, none]
    assert judging_runs(runs) == {CLAIM: {PART: [large]}}
    judged = judge_together(runs)
    assert list(judged) == list(CLAIMS)
    assert judged[CLAIM].parts[0].verdict == "supported" and judged["C1"].verdict == NOT_RUN
    assert judge_alone(small)[0].verdict == "not supported"
    assert judge_alone(large)[0].parts[0].verdict == "supported"
    assert large.script == "depth.py"


def test_runs_of_one_size_judge_together():
    """Neither order nor name decides, and those that agree do not outvote one that does not."""
    near, far = run("b", 32, found(0.0, network="b")), run("a", 32, found(0.9, network="a"))
    for runs in ([near, far], [far, near]):
        assert judging_runs(runs)[CLAIM][PART] == [far, near]
        whole = judge_together(runs)[CLAIM].parts[0].whole
        assert whole.interval.estimate == pytest.approx(0.45)
    third = judge_together([near, far, run("c", 32, found(0.0, network="c"))])[CLAIM].parts[0]
    assert third.whole.interval.estimate == pytest.approx(0.3)
    assert third.verdict == "contradicted"


def test_what_was_kept_without_its_values_does_not_choose_the_run():
    """Two runs of one place: the one that came farther elsewhere, whatever else has its cells."""
    whole, there = found(0.0), found(0.0, network="there")
    half = replace(there, measured=Cells.of(np.where(np.eye(3, 5) > 0, np.nan, 0.0)))
    beside = found(0.0, part="", network="beside")
    shown = replace(beside, measured=beside.interval)
    far, near = run("far", 32, whole, there, shown), run("near", 32, found(0.001), half, beside)
    for order in ([far, near], [near, far]):
        assert judge_together(order)[CLAIM].parts[0].findings == (whole, there)


def test_a_place_that_two_runs_measured_counts_once_with_the_larger_sample():
    many = replace(found(0.9), measured=Cells.of(0.9 + np.random.default_rng(1).random((9, 5))))
    for runs in ([run("a", 32, many), run("b", 32, found(0.0))],):
        for order in (runs, runs[::-1]):
            part = judge_together(order)[CLAIM].parts[0]
            assert part.findings == (many,)
    few = Cells.of(np.where(np.eye(3, 5) > 0, np.nan, 0.0))
    sparse = run("c", 32, replace(found(0.0), measured=few, quantity="least elasticity"))
    for order in ([sparse, runs[1]], [runs[1], sparse]):
        assert judge_together(order)[CLAIM].parts[0].findings == tuple(runs[1].findings)
    same = run("d", 32, found(0.0), replace(found(0.0), claim="C1", part="worse_within_stages"))
    for order in ([same, run("c", 32, found(0.4))], [run("c", 32, found(0.4)), same]):
        assert judge_together(order)[CLAIM].parts[0].findings == (same.findings[0],)
    of_models = [one._replace(config={**one.config, "model": one.name}) for one in runs]
    assert len(judge_together(of_models)[CLAIM].parts[0].findings) == 2


def test_why_a_run_judges_nothing_is_told_as_it_was_decided():
    whole, half = found(0.0), np.where(np.eye(3, 5) > 0, np.nan, 0.0)
    more = replace(found(0.0), claim="C1", part="worse_within_stages")
    first = run("first", 32, whole, more)
    beside = {
        "less": run("less", 32, found(0.9)),
        "sparse": run("sparse", 32, replace(whole, measured=Cells.of(half))),
        "few": run("few", 32, replace(whole, measured=Cells.of(np.zeros((3, 4))))),
        "small": run("small", 8, found(0.9)),
        "no_interval": run("no_interval", 224, replace(whole, measured=Cells.of(np.zeros((1, 5))))),
        "other_part": run("other_part", 8, found(0.0, part="image_recedes")),
    }
    runs = [*beside.values(), first]
    assert judge_together(runs)[CLAIM].parts[0].findings == (whole,)
    same = "values than first has of the same"
    assert passed_over(runs) == {
        CLAIM: {
            "less": "first measured the same and came to more values in all, 30 against 15",
            "sparse": f"fewer {same}",
            "few": "fewer seeds × images than first has of the same",
            "small": "smaller images",
            "no_interval": "too few seeds or images",
        }
    }
    assert passed_over([first]) == {}


@pytest.mark.parametrize(("shape", "fixed"), [((1, 5), ""), ((3, 2), ""), ((1, 2), "seeds")])
def test_a_run_whose_sample_cannot_give_an_interval_judges_only_if_no_other_does(shape, fixed):
    few = replace(found(0.0), measured=Cells.of(np.zeros(shape), fixed=fixed))
    large, small = run("a", 224, few), run("b", 32, found(0.9))
    assert judging_runs([large, small])[CLAIM][PART] == [small]
    assert judging_runs([large])[CLAIM][PART] == [large]
    trained = replace(few, measured=Cells.of(np.zeros((1, 5)), fixed="seeds"))
    unreached = replace(few, measured=Cells.of(np.full((3, 5), np.nan)))
    for enough in (trained, unreached):
        large = run("a", 224, enough)
        assert judging_runs([large, small])[CLAIM][PART] == [large]


def test_parts_of_a_claim_may_be_of_several_runs():
    """What each of them says alone is no verdict: the other part is not measured."""
    other = found(0.9, part="invertible_control_follows")
    runs = [run("a", 224, found(0.0)), run("b", 8, other)]
    assert judge_together(runs)[CLAIM].verdict == SUPPORTED
    assert {judge_alone(one)[0].verdict for one in runs} == {"undecided at this scale"}


def test_what_was_announced_before_the_run_counts():
    weak = run("a", 32, found(0.04, 0.1), **{CLAIM: {PART: 0.1}})
    assert judge_together([weak])[CLAIM].verdict == NOT_DECIDABLE
    other = weak._replace(power={CLAIM: {PART: 0.9, "image_recedes": 0.1}})
    assert judge_together([other])[CLAIM].verdict == UNDECIDED, "that part is not what is open"
    strong = weak._replace(power={CLAIM: {PART: 0.9}})
    assert judge_together([strong])[CLAIM].verdict == "undecided at this scale"


@pytest.mark.parametrize(("spread", "least"), [(0.001, (3, 5)), (0.06, (5, 5)), (9.0, None)])
def test_how_many_would_decide(spread, least):
    part = judge([found(0.03, spread)], [CLAIMS[CLAIM]])[0].parts[0]
    needed = sample_needed(part)
    assert needed == least if least in (None, (3, 5)) else needed >= least


def test_a_vote_may_be_withdrawn_afterwards():
    """Its numbers stay, as a contrast; nothing else changes."""
    kept = Path(__file__).parents[2] / "results" / "compare_thin_224"
    whole, without = stored_run("a", kept), stored_run("a", kept, without=["C10"])
    before, votes = (
        {one.claim for one in found.findings if one.votes and one.part}
        for found in (whole, without)
    )
    assert "C10" in before and votes == before - {"C10"}
    assert [one.measured for one in without.findings] == [one.measured for one in whole.findings]
    assert "C10" not in {one.claim.id for one in judge_alone(without)}


def test_a_number_is_sparse_if_a_fifth_of_what_is_behind_it_is_missing():
    noise = np.random.default_rng(0).normal(size=(3, 5))
    few = noise.copy()
    few[:, :2] = np.nan
    finding = found(0.0)
    assert not finding.is_sparse and not replace(finding, known=(8, 10)).is_sparse
    assert replace(finding, known=(7, 10)).is_sparse
    assert replace(finding, measured=Cells.of(few)).is_sparse
    assert not replace(finding, measured=Cells.of(noise[:1])).is_sparse, "small is not sparse"
