"""What controls must show, from rows made by hand."""

import pytest
from study_rows import blocks, control_rows

from depthjax.claims.judging import judge_claim
from depthjax.claims.paper import CLAIMS
from depthjax.studies.controls import judged
from depthjax.studies.depth import judged as depth


@pytest.mark.parametrize(
    ("control", "columns", "estimate", "verdict"),
    [
        ("orthogonal", {"D": 0.01, "input_distance": 1.0, "lost": 0.0}, 0.01, "supported"),
        ("orthogonal", {"D": 0.3, "input_distance": 1.0, "lost": 0.0}, 0.3, "contradicted"),
        (
            "default",
            {"D": 9.0, "input_distance": 2.0, "lost": 0.0, "predicted": 2.0},
            0,
            "supported",
        ),
        ("narrow", {"D": 9.0, "input_distance": 3.0, "lost": 2.0}, 0.5, "contradicted"),
        ("narrow", {"D": 0.01, "input_distance": 3.0, "lost": 1e-9}, 0.01, "supported"),
    ],
)
def test_each_control_has_its_own_rule(control, columns, estimate, verdict):
    rows = control_rows(control, **columns)
    (finding,) = [one for one in judged.findings(rows) if one.claim == "controls"]
    assert finding.interval.estimate == pytest.approx(estimate) and finding.verdict == verdict
    assert f"| {control}, fc4" in judged.control_table(rows)


@pytest.mark.parametrize(
    ("slope", "verdict", "claim"),
    [
        (0.2, "supported", "supported"),
        (0.06, "contradicted", "undecided at this scale"),
        (0.01, "contradicted", "undecided at this scale"),
        (float("nan"), "not reached", "undecided at this scale"),
    ],
)
def test_c3_cannot_tell_slow_from_lost_where_the_invertible_control_does_not_follow(
    slope, verdict, claim
):
    """A control that fails contradicts nothing: it shows that the statistic cannot tell."""
    found = judged.findings(control_rows("default", elasticity=slope, D=9.0, input_distance=2.0,
                                         lost=0.0, predicted=2.0))  # fmt: skip
    found += depth.findings([blocks()])
    told = judge_claim(CLAIMS["C3"], found)
    parts = {part.name: part.verdict for part in told.parts}
    shown = "not found" if verdict == "contradicted" else verdict
    assert parts["invertible_control_follows"] == shown and told.verdict == claim


def test_other_controls_are_shown_beside_c3():
    found = [one for name in ("orthogonal", "irevnet", "narrow")
             for one in judged.findings(control_rows(name, D=0.01, input_distance=1.0, lost=0.0))
             if one.claim == "C3"]  # fmt: skip
    assert len(found) == 3 and {one.aside for one in found} == {"contrast"}
    assert all("κ 2" in one.where for one in found)
