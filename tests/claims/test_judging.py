"""Every claim gets every verdict, from what the studies find in numbers made by hand."""

import json
from dataclasses import replace
from itertools import cycle

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from study_rows import STUDIES

from depthjax.claims.findings import Bound, Finding, finding_from_record
from depthjax.claims.judging import (
    NOT_RUN,
    NOT_SUPPORTED,
    SUPPORTED,
    UNDECIDED,
    contradictions_needed,
    judge,
    judge_claim,
    judge_folders,
    smallest_effect,
)
from depthjax.claims.paper import CLAIMS, Claim, Part
from depthjax.folders.begin import begin
from depthjax.folders.results import write_results
from depthjax.statistics import Interval

STUDIED = [finding for findings in STUDIES.values() for finding in findings()]


def interval(bound: Bound, verdict: str) -> Interval:
    """One that says this of the bound."""
    end = bound.ends[-1]
    inside = min(1.0, abs(bound.ends[0] - end) / 2) or 1.0
    beyond = -1.0 if bound.relation.startswith(">") else 1.0
    middle = {"supported": end - beyond * inside, "contradicted": end + beyond, "open": end}
    estimate = middle.get(verdict, float("nan"))
    made = Interval(estimate, estimate - inside / 2, estimate + inside / 2, 3, 5)
    assert bound.judge(made) == verdict
    return made


def findings(claim: str, *verdicts: str) -> list[Finding]:
    """Those of a claim that its study makes, with these verdicts in turn."""
    own = [finding for finding in STUDIED if finding.claim == claim and finding.part]
    return [
        replace(finding, interval=interval(finding.bound, verdict))
        for finding, verdict in zip(own, cycle(verdicts), strict=False)
    ]


def verdict(claim: str, found: list[Finding]) -> str:
    return judge_claim(CLAIMS[claim], found).verdict


@pytest.mark.parametrize("claim", CLAIMS)
def test_every_claim_gets_every_verdict(claim: str) -> None:
    assert verdict(claim, findings(claim, "supported")) == SUPPORTED
    assert verdict(claim, findings(claim, "contradicted")) == NOT_SUPPORTED
    first, *rest = findings(claim, "supported")
    opened = replace(first, interval=interval(first.bound, "open"))
    assert verdict(claim, [opened, *rest]) == UNDECIDED
    assert verdict(claim, findings(claim, "not reached")) == UNDECIDED
    assert verdict(claim, []) == NOT_RUN
    others = [one for name in CLAIMS if name != claim for one in findings(name, "supported")]
    assert verdict(claim, others) == NOT_RUN
    asides = [
        replace(one, aside=aside)
        for aside in ("contrast", "control")
        for one in findings(claim, "supported") + findings(claim, "contradicted")
    ]
    assert verdict(claim, asides) == NOT_RUN


@pytest.mark.parametrize("claim", CLAIMS)
def test_each_part_alone_can_refute_a_claim_and_each_is_needed(claim: str) -> None:
    judged = judge_claim(CLAIMS[claim], findings(claim, "supported"))
    for part in (part for part in judged.parts if part.part.votes):
        others = [one for one in findings(claim, "supported") if one not in part.findings]
        refuting = [
            replace(one, interval=interval(one.bound, "contradicted")) for one in part.findings
        ]
        against = judge_claim(CLAIMS[claim], others + refuting)
        assert against.verdict == NOT_SUPPORTED and against.decisive in refuting
        assert f"{part.part.says}: contradicted" in against.reason
        without = judge_claim(CLAIMS[claim], others)
        assert without.verdict == (UNDECIDED if others else NOT_RUN)
        assert f"{part.part.says}: not measured" in without.reason


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("part", ["", "no such part"])
def test_findings_of_no_part_never_support_or_refute(claim: str, part: str) -> None:
    for told in ("supported", "contradicted"):
        lost = [replace(one, part=part) for one in findings(claim, told)]
        assert verdict(claim, lost) == UNDECIDED
        # One part's findings are no substitute for another's.
        judged = judge_claim(CLAIMS[claim], findings(claim, "supported"))
        voting = [each for each in judged.parts if each.part.votes]
        rest = [one for each in voting[1:] for one in each.findings]
        astray = [replace(one, part=part) for one in voting[0].findings]
        assert verdict(claim, rest + astray) == UNDECIDED


@pytest.mark.parametrize("claim", CLAIMS)
def test_findings_of_older_files_are_counted_and_decide_nothing(claim: str) -> None:
    keys = ("claim", "where", "statistic", "rule", *Interval._fields)
    records = [one.record() for one in findings(claim, "supported")]
    old = [finding_from_record({key: record[key] for key in keys}) for record in records]
    judged = judge_claim(CLAIMS[claim], old)
    assert judged.verdict == UNDECIDED and judged.decisive is None
    assert judged.counts == {SUPPORTED: len(old)}
    assert {part.verdict for part in judged.parts} == {"not measured"}


def test_verdicts_are_made_again_from_stored_findings(tmp_path) -> None:
    """Of a folder for each study, without running any."""
    for study, made in STUDIES.items():
        with begin(tmp_path / study, {}) as folder:
            write_results(folder, [{"layer": "any"}], made())
    again = judge_folders(sorted(tmp_path.iterdir()))
    assert [one.record() for one in again] == [one.record() for one in judge(STUDIED)]
    (tmp_path / "widths" / "findings.json").unlink()
    with pytest.raises(ValueError, match=r"it has no findings\.json"):
        judge_folders(sorted(tmp_path.iterdir()))


def made(part: str, layer: str, bound: str, told: str) -> Finding:
    rule = Bound.parse(bound)
    return Finding(
        claim="X", part=part, layer=layer, quantity="x", bound=rule, interval=interval(rule, told)
    )


ALONE = Claim("X", "", "", {"everywhere": Part("everywhere")})


def test_one_place_of_many_is_contradicted_by_chance() -> None:
    assert [contradictions_needed(n) for n in (1, 2, 3, 14, 15)] == [1, 1, 2, 2, 3]
    for places, needed in ((2, 1), (5, 2)):
        less, enough = (
            [
                made("everywhere", str(n), "> 0", "contradicted" if n < hits else "supported")
                for n in range(places)
            ]
            for hits in (needed - 1, needed)
        )
        assert judge_claim(ALONE, enough).verdict == NOT_SUPPORTED
        assert judge_claim(ALONE, less).verdict == (SUPPORTED if needed == 1 else UNDECIDED)


@given(places=st.integers(1, 40), holds=st.integers(0, 40))
def test_contradicted_places_are_a_binomial_test(places: int, holds: int) -> None:
    """Against random draws of places that each go astray in 2.5 % of cases."""
    assume(holds <= places)
    needed = contradictions_needed(places)
    random = np.random.default_rng(places)
    hits = random.binomial(places, 0.025, 200_000)
    assert (hits >= needed).mean() < 0.05 + 0.002
    assert needed == 1 or (hits >= needed - 1).mean() > 0.05 - 0.002
    assert contradictions_needed(holds or 1) <= needed


def test_a_part_without_a_vote_is_told_and_decides_nothing() -> None:
    claim = Claim("X", "", "", {"needed": Part("needed"), "told": Part("told", votes=False)})
    judged = judge_claim(
        claim, [made("needed", "a", "> 0", "supported"), made("told", "a", "> 0", "contradicted")]
    )
    assert judged.verdict == SUPPORTED
    assert judged.reason == (
        "needed: supported at 1 of 1; told: contradicted at 1 of 1 (no part of the claim)"
    )
    # A claim that says nothing is not supported by anything.
    assert judge_claim(Claim("X", "", "", {}), [made("x", "a", "> 0", "supported")]).verdict == (
        UNDECIDED
    )


def test_what_decides() -> None:
    """The weakest support, the clearest contradiction, what is farthest from a decision."""

    def at(estimate: float, reach: float, layer: str) -> Finding:
        ends = Interval(estimate, estimate - reach, estimate + reach, 3, 5)
        return replace(made("everywhere", layer, "> 0", "open"), interval=ends)

    def decisive(*found: Finding) -> str | None:
        judged = judge_claim(ALONE, found).decisive
        return judged and judged.layer

    support = [at(9, 1, "clear"), at(2, 1, "weak"), at(5, 2, "middling"), at(0.1, 0, "exact")]
    assert decisive(*support) == "weak"
    assert decisive(at(-9, 1, "clear"), at(-2, 1, "weak"), *support) == "clear"
    assert decisive(at(0.9, 1, "nearly"), at(-0.5, 2, "far"), *support) == "far"
    assert smallest_effect(at(2, 1, "weak")) == 1


def test_records_hold_all_claims() -> None:
    found = [one for name in list(CLAIMS)[:8] for one in findings(name, "supported")]
    found += findings("C9", "not reached")
    judged = judge(found)
    assert [one.verdict for one in judged] == [SUPPORTED] * 8 + [UNDECIDED] + [NOT_RUN] * 7
    records = [one.record() for one in judged]
    assert json.loads(json.dumps(records, allow_nan=False)) == records
    assert records[0]["decisive"]["smallest_effect"] == 0.5
