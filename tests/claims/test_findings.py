"""Bounds judge intervals, findings are fields, and old files without fields still load."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from depthjax.claims.findings import Bound, Finding, finding_from_record, load_findings
from depthjax.statistics import Interval

NAN = Interval(*[math.nan] * 3, 3, 5)
BOUNDS = [
    (Bound.above(0), "> 0"),
    (Bound.above(1e-13), "> 1e-13"),
    (Bound.at_least(0.5), ">= 0.5"),
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
    bound=st.sampled_from([bound for bound, _ in BOUNDS]),
    below=st.floats(0.01, 10),
    above=st.floats(0.01, 10),
    slack=st.floats(0.01, 2).filter(lambda s: abs(s - 1) > 1e-3),
)
def test_the_reach_is_where_the_verdict_turns(
    bound: Bound, below: float, above: float, slack: float
) -> None:
    """With the same spread, an estimate that far within the bound is support."""
    if bound.relation == "within":
        bound = Bound.within(-50, 50)
    reach = bound.reach(Interval(5, 5 - below, 5 + above, 3, 5))
    end = bound.ends[-1]
    estimate = end + (slack if bound.relation.startswith(">") else -slack) * reach
    assert bound.margin(estimate) == pytest.approx(slack * reach)
    moved = Interval(estimate, estimate - below, estimate + above, 3, 5)
    if bound.relation != "within" or above >= below:  # the upper end decides
        assert (bound.judge(moved) == "supported") == (slack > 1)


WHOLE = Finding(
    claim="C11",
    part="early_clearer",
    network="photos, mine",
    layer="layer1",
    note="1/f noise",
    quantity="SSIM (structural): at matched ρ",
    detail="photos − untrained",
    known=(8, 9),
    bound=Bound.above(0),
    interval=Interval(0.5, 0.25, 0.75, 3, 5),
)


def test_sentences_are_made_of_fields() -> None:
    assert WHOLE.where == "photos, mine, layer1, 1/f noise"
    assert WHOLE.statistic == "SSIM (structural): at matched ρ: photos − untrained (8 of 9)"
    assert WHOLE.rule == "> 0" and WHOLE.title == "C11" and WHOLE.votes
    bare = Finding(claim="C3", quantity="x", bound=Bound.above(0), interval=NAN, aside="contrast")
    assert (bare.where, bare.statistic, bare.title) == ("", "x", "C3, contrast")
    assert not bare.votes and bare.verdict == "not reached"
    control = Finding(claim="C3", quantity="x", bound=Bound.above(0), interval=NAN, aside="control")
    assert control.title == "C3" and not control.votes


@pytest.mark.parametrize("aside", ["", "contrast", "control"])
def test_a_record_keeps_every_field(aside: str) -> None:
    """Also where names hold what sentences are made with."""
    finding = Finding(**{**vars(WHOLE), "aside": aside})
    record = json.loads(json.dumps(finding.record(), allow_nan=False))
    assert finding_from_record(record) == finding
    assert list(record)[:10] == [
        *("claim", "where", "statistic", "rule", "estimate", "low", "high", "seeds", "images"),
        "verdict",
    ]
    unreached = Finding(**{**vars(WHOLE), "interval": NAN}).record()
    assert unreached["estimate"] is None and unreached["verdict"] == "not reached"
    assert finding_from_record(unreached).record() == unreached


OLD = {
    **{"claim": "C15, contrast", "where": "photos, layer4", "rule": "< 1.1"},
    **{"statistic": "energy (8 of 9)", "estimate": None, "low": None, "high": None},
    **{"seeds": 3, "images": 5, "verdict": "not reached"},
}


def test_records_without_fields_are_shown_as_before(tmp_path) -> None:
    (tmp_path / "findings.json").write_text(json.dumps([OLD]))
    (finding,) = load_findings(tmp_path)
    assert {name: finding.record()[name] for name in OLD} == OLD
    assert finding.claim == "C15" and not finding.votes and finding.part == ""


def test_findings_that_are_not_there_or_damaged(tmp_path) -> None:
    with pytest.raises(ValueError, match=r"it has no findings.json"):
        load_findings(tmp_path)
    for damage in ("[{", '[{"claim": "C1"}]', "3", "[3]", json.dumps([OLD | {"rule": "maybe"}])):
        (tmp_path / "findings.json").write_text(damage)
        with pytest.raises(ValueError, match="is damaged"):
            load_findings(tmp_path)
