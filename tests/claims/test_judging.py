"""Every claim gets every verdict, from what the studies find in numbers made by hand."""

import json
from dataclasses import replace
from itertools import cycle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from judged_cells import cells_that_say
from study_findings import STUDIES

from depthjax.claims.beside import BESIDE
from depthjax.claims.cells import Cells
from depthjax.claims.claim import Claim, Part
from depthjax.claims.findings import Finding, finding_from_record
from depthjax.claims.frozen import plan
from depthjax.claims.judging import (
    NO_VERDICT,
    NOT_RUN,
    NOT_SUPPORTED,
    SUPPORTED,
    TAIL,
    UNDECIDED,
    holm,
    judge,
    judge_claim,
)
from depthjax.claims.paper import CLAIMS
from depthjax.claims.stored import judge_folders
from depthjax.folders.begin import begin
from depthjax.folders.results import write_results
from depthjax.statistics import Interval

STUDIED = [finding for findings in STUDIES.values() for finding in findings()]


def saying(finding: Finding, verdict: str) -> Finding:
    part = (CLAIMS | BESIDE)[finding.claim].parts[finding.part]
    return replace(finding, known=None, measured=cells_that_say(verdict, part, finding.measured))


def findings(claim: str, *verdicts: str) -> list[Finding]:
    """Those of a claim that its study makes, with these verdicts in turn."""
    own = [one for one in STUDIED if one.claim == claim and one.part and one.votes]
    return [saying(one, verdict) for one, verdict in zip(own, cycle(verdicts), strict=False)]


def verdict(claim: str, found: list[Finding]) -> str:
    return judge_claim((CLAIMS | BESIDE)[claim], found).verdict


@pytest.mark.parametrize("claim", CLAIMS)
def test_every_claim_gets_every_verdict(claim: str) -> None:
    assert verdict(claim, findings(claim, "supported")) == SUPPORTED
    assert verdict(claim, findings(claim, "contradicted")) == NOT_SUPPORTED
    needed = [name for name, part in CLAIMS[claim].parts.items() if part.votes]
    opened = [
        saying(one, "open" if one.part == needed[0] else "supported")
        for one in findings(claim, "supported")
    ]
    assert verdict(claim, opened) == UNDECIDED
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


def test_what_no_search_has_found_is_not_contradicted() -> None:
    assert verdict("witness", findings("witness", "supported")) == SUPPORTED
    judged = judge_claim(BESIDE["witness"], findings("witness", "contradicted"))
    assert judged.verdict == UNDECIDED and "the difference is seen: not found" in judged.reason


@pytest.mark.parametrize("claim", CLAIMS)
def test_each_part_alone_can_refute_a_claim_and_each_is_needed(claim: str) -> None:
    judged = judge_claim(CLAIMS[claim], findings(claim, "supported"))
    for part in (part for part in judged.parts if part.part.votes):
        others = [one for one in findings(claim, "supported") if one not in part.findings]
        refuting = [saying(one, "contradicted") for one in part.findings]
        against = judge_claim(CLAIMS[claim], others + refuting)
        # What a search does not find contradicts nothing.
        search = any(one.search for one in part.findings)
        assert against.verdict == (UNDECIDED if search else NOT_SUPPORTED)
        assert against.decisive.part == part.name
        told = "not found" if search else "contradicted"
        assert f"{part.part.says}: {told}" in against.reason
        without = judge_claim(CLAIMS[claim], others)
        single = len([one for one in judged.parts if one.part.votes]) == 1
        assert without.verdict == (UNDECIDED if not single else NO_VERDICT if others else NOT_RUN)
        assert f"{part.part.says}: not measured" in without.reason


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("part", ["", "no such part"])
def test_findings_of_no_part_never_support_or_refute(claim: str, part: str) -> None:
    for told in ("supported", "contradicted"):
        lost = [replace(one, part=part) for one in findings(claim, told)]
        assert verdict(claim, lost) == NO_VERDICT
        # One part's findings are no substitute for another's.
        judged = judge_claim(CLAIMS[claim], findings(claim, "supported"))
        voting = [each for each in judged.parts if each.part.votes]
        rest = [one for each in voting[1:] for one in each.findings]
        astray = [replace(one, part=part) for one in voting[0].findings]
        assert verdict(claim, rest + astray) == (UNDECIDED if rest else NO_VERDICT)


@pytest.mark.parametrize("claim", CLAIMS)
def test_findings_without_cells_are_shown_and_decide_nothing(claim: str) -> None:
    """Of older files: those with a part and an interval, and those with sentences alone."""
    records = [one.record() for one in findings(claim, "supported")]
    keys = ("claim", "where", "statistic", "rule", *Interval._fields[:5])
    for more in ((), ("part", "network", "layer", "note", "quantity", "detail", "known")):
        old = [{key: record[key] for key in (*keys, *more)} for record in records]
        judged = judge_claim(CLAIMS[claim], [finding_from_record(one) for one in old])
        assert judged.verdict == NO_VERDICT and judged.decisive is None
        assert {part.verdict for part in judged.parts} == {"not measured"}


def test_verdicts_are_made_again_from_stored_findings(tmp_path) -> None:
    """Of a folder for each study, without running any."""
    for study, made in STUDIES.items():
        with begin(tmp_path / study, {}, noted={"plan": plan()}) as folder:
            write_results(folder, [{"layer": "any"}], made())
    again = judge_folders(sorted(tmp_path.iterdir()))
    fresh = [replace(one, plan=plan()[one.claim]) for one in STUDIED]
    assert [one.record() for one in again] == [one.record() for one in judge(fresh)]
    (tmp_path / "widths" / "findings.json").unlink()
    with pytest.raises(ValueError, match=r"it has no findings\.json"):
        judge_folders(sorted(tmp_path.iterdir()))


ALONE = Claim("X", "", "", {"everywhere": Part("everywhere", "> 0", 0.5, "")})


def made(middle: float, width: float = 1.0, part: str = "everywhere") -> Finding:
    noise = np.random.default_rng(0).normal(size=(3, 5))
    table = middle + width * (noise - noise.mean())
    bound = ALONE.parts["everywhere"].bound
    return Finding(claim="X", part=part, quantity="x", bound=bound, measured=Cells.of(table))


def test_a_certain_effect_of_no_interest_is_no_support() -> None:
    judged = judge_claim(ALONE, [made(0.1, 0.01)])
    assert judged.verdict == NOT_SUPPORTED and judged.decisive.interval.low > 0
    assert judge_claim(ALONE, [made(0.6, 0.2)]).verdict == SUPPORTED
    assert judge_claim(ALONE, [made(0.6, 9)]).verdict == UNDECIDED


def test_the_claim_s_bound_counts_and_not_what_a_file_says() -> None:
    """The same cells, judged again by another rule, get another verdict."""
    stricter = Claim("X", "", "", {"everywhere": Part("everywhere", "> 5", 0.5, "")})
    assert judge_claim(ALONE, [made(3, 0.2)]).verdict == SUPPORTED
    assert judge_claim(stricter, [made(3, 0.2)]).verdict == NOT_SUPPORTED


def test_places_have_no_vote_of_their_own() -> None:
    """One of three places lies beyond the bound on the other side, the mean does not."""
    found = [made(4, 0.5), made(4, 0.5), made(-1, 0.1)]
    assert found[-1].verdict == "contradicted"
    judged = judge_claim(ALONE, found)
    assert judged.verdict == SUPPORTED
    assert judged.reason.startswith("everywhere: supported, 2.33 [")
    assert judged.reason.endswith("] over 3 places")


def test_a_part_without_a_vote_is_told_and_decides_nothing() -> None:
    told = Part("told", "> 0", 0.5, "", votes=False)
    claim = Claim("X", "", "", {"needed": Part("needed", "> 0", 0.5, ""), "told": told})
    judged = judge_claim(claim, [made(4, part="needed"), made(-4, part="told")])
    assert judged.verdict == SUPPORTED and judged.p_value < TAIL
    assert "told: contradicted, -4 [" in judged.reason
    assert judged.reason.endswith("(no part of the claim)")
    # A claim that says nothing is not supported by anything.
    assert judge_claim(Claim("X", "", "", {}), [made(4)]).verdict == NO_VERDICT


def test_what_decides() -> None:
    """The weakest support, the clearest contradiction, what is farthest from a decision."""
    names = ("a", "b", "c")
    claim = Claim("X", "", "", {name: Part(name, "> 0", 0.5, "") for name in names})

    def decisive(*middles: float, width: float = 1.0) -> str:
        found = [made(m, width, part=name) for m, name in zip(middles, names, strict=True)]
        return judge_claim(claim, found).decisive.part

    assert decisive(9, 4, 6) == "b"
    assert decisive(-4, 9, -9) == "c"
    assert decisive(9, 1, -1, width=9) == "c"


def test_what_decides_is_compared_where_intervals_are_symmetric() -> None:
    """Half-widths of a geometric mean are of its logarithm: as for C6, whose factor of 10⁶ is sure.

    Its upper end lies ten times as far away as the number, so that on a linear scale a factor that
    excludes 1 by far looked like the weakest support.
    """
    parts = {"near": Part("near", "within 0.5 2", 0.1, ""), "far": Part("far", "> 1", 1, "")}
    noise = np.random.default_rng(0).normal(size=(10, 1))
    noise -= noise.mean()

    def geometric(part: str, middle: float, width: float) -> Finding:
        table = middle * np.exp(width * noise)
        cells = Cells.of(table, fixed="images", logarithmic=True)
        bound = parts[part].bound
        return Finding(claim="X", part=part, quantity="x", bound=bound, measured=cells)

    found = [geometric("near", 0.7, 0.15), geometric("far", 3e6, 3.0)]
    far = found[1].interval
    assert far.estimate - 1 < (far.high - far.low) / 2
    judged = judge_claim(Claim("X", "", "", parts), found)
    assert judged.verdict == SUPPORTED and judged.decisive.part == "near"


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_is_between_no_correction_and_bonferroni_s(p_values: list[float]) -> None:
    named = {str(n): p for n, p in enumerate(p_values)}
    kept = holm(named, 0.05)
    assert {name for name, p in named.items() if p <= 0.05 / len(named)} <= kept
    assert all(named[name] <= 0.05 for name in kept)
    # Step-down by hand: whatever is kept has no smaller number that is not.
    assert all(named[one] <= named[other] for one in kept for other in named.keys() - kept)


def test_holm_steps_down() -> None:
    assert holm({"a": 0.01, "b": 0.02, "c": 0.03}, 0.05) == {"a", "b", "c"}
    assert holm({"a": 0.01, "b": 0.03, "c": 0.04}, 0.05) == {"a"}
    assert holm({"a": 0.02, "b": 0.02, "c": 0.02}, 0.05) == set()


def test_which_supports_survive_the_correction_over_claims() -> None:
    clear = [one for name in ("C1", "C4", "C8") for one in findings(name, "supported")]
    judged = {one.claim.id: one for one in judge([*clear, *findings("C11", "open")])}
    assert [judged[name].survives for name in ("C1", "C4", "C8")] == [True] * 3
    assert judged["C11"].survives is None and judged["C2"].survives is None
    assert judged["C4"].p_value == 0  # an identity
    # A support that is just one among sixteen claims is none.
    part = CLAIMS["C8"].parts["fewer_steps"]
    noise = np.random.default_rng(1).normal(size=(3, 5))
    noise -= noise.mean()
    for width in np.geomspace(0.1, 10, 60):
        weak = [replace(one, measured=Cells.of(0.5 * np.exp(width * noise), logarithmic=True))
                for one in findings("C8", "supported")]  # fmt: skip
        (alone,) = judge(weak, [CLAIMS["C8"]])
        if 0.015 < alone.p_value < 0.025:
            break
    assert part.bound.p_value(alone.decisive.interval) == alone.p_value
    assert alone.verdict == SUPPORTED and alone.survives
    rest = [one for name in CLAIMS if name != "C8" for one in findings(name, "open")]
    among = {one.claim.id: one for one in judge([*weak, *rest])}["C8"]
    assert among.verdict == SUPPORTED and among.survives is False


def test_records_hold_all_claims() -> None:
    found = [one for name in list(CLAIMS)[:8] for one in findings(name, "supported")]
    found += findings("C9", "not reached")
    judged = judge(found)
    assert [one.verdict for one in judged] == [SUPPORTED] * 8 + [UNDECIDED] + [NOT_RUN] * (
        len(CLAIMS) - 9
    )
    records = [one.record() for one in judged]
    assert json.loads(json.dumps(records, allow_nan=False)) == records
    assert records[0]["decisive"]["detectable"] > 0 and records[0]["survives"]
    assert records[0]["parts"][0]["effect"] == 0.05
