"""What controls must show, from rows made by hand."""

import pytest
from study_rows import control_rows

from depthjax.studies.controls import judged


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
    (finding,) = judged.findings(rows)
    assert finding.interval.estimate == pytest.approx(estimate) and finding.verdict == verdict
    assert f"| {control}, fc1" in judged.control_table(rows)
