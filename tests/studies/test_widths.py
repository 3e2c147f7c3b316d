"""Findings on widths from rows made by hand, and the settings that they speak of."""

import numpy as np
import pytest
from width_rows import (
    WIDTHS,
    depth_rows,
    late_width_rows,
    null_space_rows,
    relu_rows,
    second_relu_rows,
    smooth_rows,
)

from depthjax.claims.judging import judge_claim
from depthjax.claims.paper import CLAIMS
from depthjax.studies.widths.judged import (
    condition_table,
    findings,
    needed_widths,
    recovered_shares,
    unmatched_text,
)
from depthjax.studies.widths.measured import MISSED, PAPER
from depthjax.studies.widths.measured import relu_rows as measured_relu_rows
from depthjax.studies.widths.setting import WIDE, WIDER_LATE, WidthSettings, inputs_of


def alone(claim):
    return WidthSettings(**{**WIDTHS.__dict__, "claims": (claim,)})


def test_networks_are_as_wide_as_they_are_called():
    assert WIDTHS.networks[WIDE] == (60, 60, 60) and WIDTHS.networks["narrow"] == (32, 32, 32)
    assert WIDTHS.networks["one narrow layer"] == (60, 32, 60)
    assert WIDTHS.networks[WIDER_LATE] == (60, 120, 120)
    with pytest.raises(ValueError, match="narrow=48 must be below"):
        WidthSettings(size=4, narrow=48, wide=60)
    with pytest.raises(ValueError, match="unknown claim 'C9'"):
        WidthSettings(claims=("C4", "C9"))


def test_stalling_is_judged_over_its_floor_at_the_last_record():
    made = null_space_rows(PAPER)
    narrow, wide = findings(alone("C4"), made, 48, 48)
    assert narrow.where == f"narrow, 3 layers, {PAPER} (90 steps)"
    assert (
        narrow.interval[:3] == pytest.approx((1, 1, 1), rel=0.01) and narrow.verdict == "supported"
    )
    assert wide.interval.estimate == pytest.approx(0.002 * np.sqrt(2523 / 48), rel=0.01)
    assert "| wide" in condition_table(made) and not condition_table([])


def test_steps_that_grow_tenfold_a_layer_have_that_slope():
    made = depth_rows()
    slower, reached, farther = findings(alone("C5"), made, 48, 48)
    assert (
        slower.interval.estimate == pytest.approx(np.log(10), rel=0.01)
        and reached.verdict == "supported"
    )
    assert farther.interval.estimate == pytest.approx(np.log(10), rel=0.01)
    made[0]["value"] = np.inf
    _, reached, _ = findings(alone("C5"), made, 48, 48)
    assert reached.interval.estimate == pytest.approx(8 / 9) and reached.verdict == "contradicted"


def test_wider_late_layers_are_judged_pair_by_pair():
    made = late_width_rows()
    found = findings(alone("C8"), made, 48, 48)
    assert [one.interval.estimate for one in found] == pytest.approx([0.25, 0.25], rel=0.01)


def test_the_width_at_which_half_recover():
    made = relu_rows()
    needed = needed_widths(alone("C7"), made)
    # log D is linear between widths: 2 to 1/4 crosses 1 at a third, 4 to 1/2 at two thirds.
    crossed = [2 + 1 / 3, 2 + 2 / 3, 2 + np.log(6) / np.log(8)]
    np.testing.assert_allclose(needed["D ≤ 1"], [crossed] * 3, rtol=0.01)
    np.testing.assert_allclose(needed["rank n"][:, 0], 2, rtol=0.01)
    assert recovered_shares(WIDTHS.relu_widths, needed["D ≤ 1"]) == [0, 0, 1]
    first, _ = findings(alone("C7"), made, 48, 48)
    assert (
        first.interval.estimate == pytest.approx(np.mean(crossed), rel=0.01)
        and first.rule == "within 1.8 2.2"
    )


@pytest.mark.parametrize(
    ("second", "verdict"),
    [
        (5.0, "supported"),
        (2.5, "not supported"),  # as wide as the first
        (9.0, "undecided at this scale"),  # wider than was tried
    ],
)
def test_c18_is_the_second_width_over_the_first(second, verdict):
    found = findings(alone("C19"), second_relu_rows(second), 48, 48)
    told = judge_claim(CLAIMS["C19"], found)
    assert told.verdict == verdict
    if second < 9:
        assert found[0].interval.estimate == pytest.approx(second / 2.5, rel=0.01)


@pytest.mark.parametrize(
    ("tanh", "sigmoid", "verdicts"),
    [
        (2.0, 2.0, ("supported", "supported")),
        (1.1, 2.0, ("contradicted", "supported")),
        (1.0, 1.2, ("contradicted", "contradicted")),
        (3.0, 2.0, ("not reached", "supported")),
    ],
)
def test_c19_is_judged_for_each_kind_of_unit(tanh, sigmoid, verdicts):
    found = findings(alone("C20"), smooth_rows(tanh=tanh, sigmoid=sigmoid), 48, 48)
    told = judge_claim(CLAIMS["C20"], found)
    assert tuple(part.verdict for part in told.parts) == verdicts
    refuted = "contradicted" in verdicts
    expected = "not supported" if refuted else "supported"
    assert told.verdict == (expected if tanh < 3 else "undecided at this scale")


def test_of_several_starts_the_one_that_comes_nearest_the_embedding_counts():
    """Whatever its image is; the first of several starts is the only one of one."""
    inputs = inputs_of(["astronaut", "chelsea"], 4, 1)
    asked = {"claims": ("C7",), "size": 4, "narrow": 32, "wide": 60, "relu_widths": (1.5,)}

    def missed(starts: int) -> np.ndarray:
        setting = WidthSettings(**asked, relu_steps=3, relu_starts=starts)
        rows = list(measured_relu_rows(setting, inputs, 0))
        return np.array([row["value"] for row in rows if row["quantity"] == MISSED])

    assert (missed(4) <= missed(1)).all() and (missed(4) < missed(1)).any()
    np.testing.assert_array_equal(inputs.several_starts(3)[0], inputs.starts)


def test_descents_that_are_stuck_are_counted():
    rows = [
        {"claim": claim, "quantity": MISSED, "value": value}
        for claim, values in {"C7": (1e-7, 2e-7), "C19": (1e-7, 0.02, 0.009)}.items()
        for value in values
    ]
    assert unmatched_text(rows).endswith("counts as any other: 2 of 3 of C19.")
    assert unmatched_text(rows[:2]) == ""
