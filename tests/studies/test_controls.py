"""What controls must show, and C6, from rows made by hand."""

import numpy as np
import pytest

from depthjax.studies.controls import judged, preimages


def control_rows(control, **columns):
    return [
        {"control": control, "layer": "fc1", "depth": 1, "seed": seed, "image": image}
        | {"rank": 3, "condition_number": 2.0, "predicted_D": 0.5, "start_D": 4.0}
        | columns
        for seed in (0, 1)
        for image in ("a", "b")
    ]


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


def preimage_rows(count, ratio, outside=1.0):
    columns = ("residual", "recovery_distance", "condition_number", "embedding_distance")
    return [
        {"control": "pre-images, text", "seed": seed, "median_distance": 20.0 * ratio}
        | {"expected_distance": 20.0, "distance_ratio": ratio, "outside": outside}
        | {"input_distance": 5.0, "reference_input_distance": 3.0}
        | dict.fromkeys(columns, 1.0)
        for seed in range(count)
    ]


def test_exact_preimages_are_far_away_and_out_of_range():
    low, high, outside, against = preimages.findings(preimage_rows(10, 1.5))
    assert [low.rule, high.rule] == [">= 0.5", "<= 2"] and low.interval == high.interval
    assert outside.verdict == "supported"
    assert against.interval.estimate == pytest.approx(6) and against.verdict == "supported"


def test_the_table_has_the_verdict_of_the_control():
    def verdict(*arguments):
        return preimages.preimage_table(preimage_rows(*arguments)).splitlines()[-1].split("|")[-2]

    assert verdict(10, 1.5).strip() == "supported"
    for wanting in ((9, 1.5), (10, 2.5), (10, 1.5, 0.9)):
        assert verdict(*wanting).strip() == "not supported"
    control = preimages.control_of(preimage_rows(3, 1.5))
    np.testing.assert_allclose(control.distance_ratio, 1.5)
