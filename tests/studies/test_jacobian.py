"""C9 and C16 from pieces made by hand: of layers whose spectra are known."""

import numpy as np
import pytest
from study_rows import jacobian_rows, piece

from depthjax.analysis.accounting import RankBound
from depthjax.studies.jacobian.judged import (
    conditioning_slopes,
    findings,
    finished_rows,
    half_rank,
    intervals,
    summary_table,
)
from depthjax.studies.jacobian.measured import (
    DENSE_ELEMENTS,
    Piece,
    chosen_method,
)

NAMES = ("conv1", "deep")


@pytest.fixture
def rows():
    return jacobian_rows()


def test_all_layers_are_compared_at_half_of_the_least_rank(rows):
    assert half_rank(rows) == 4
    for end in ("low", "high"):
        levels = [row[f"half_rank_{end}"] for row in rows[:6:3]]
        assert levels == pytest.approx([0.5**3, 0.25**3], rel=0.02)
    bound = finished_rows([piece("conv1", 0, 0, 0.5, rank_bound=2)])
    assert half_rank(bound) == 1 and bound[0]["above_1e-6_high"] == 2
    assert half_rank([{"rank_bound": 1}]) == 1


def test_what_is_lost_and_what_is_ill_conditioned_is_found(rows):
    found = findings(rows, NAMES, ["untrained"])
    smallest, before, after, slope = found
    assert smallest.where == "untrained, conv1"
    assert smallest.interval.estimate == pytest.approx(0.5**7, rel=0.02)
    assert before.interval.estimate == 1 and before.verdict == "supported"
    assert after.interval.estimate == 0.75 and after.verdict == "supported"
    # One layer deeper, the fourth value is smaller by 2³.
    assert slope.claim == "C16" and slope.interval.estimate == pytest.approx(np.log(8), rel=0.01)
    assert (slope.interval.seeds, slope.interval.images) == (3, 3)


def test_the_slope_is_the_least_that_the_brackets_allow(rows):
    for row in rows:  # true: σ/σ₁ of 1/2 and 1/32, a slope of log 16
        low, high = (1 / 4, 1) if row["layer"] == "conv1" else (0, 1 / 8)
        row |= {"half_rank_low": low, "half_rank_high": high}
    slopes = conditioning_slopes(rows, NAMES, "untrained")
    np.testing.assert_allclose(slopes, np.log(8) - np.log(4))
    for row in rows:
        row["half_rank_low"] = 0
    assert np.isnan(conditioning_slopes(rows, NAMES, "untrained")).all()


def test_fewer_outputs_than_inputs_leave_no_smallest_value():
    narrow = finished_rows([piece("conv1", 0, 0, 0.5, outputs=7, winners=None)])
    (smallest,) = findings(narrow, ["conv1"], ["untrained"])
    assert smallest.interval.estimate == 0 and smallest.verdict == "contradicted"


def test_without_spectra_only_accounting_speaks():
    row = {"network": "one", "seed": 0, "layer": "conv1", "image": "a", "inputs": 8, "outputs": 9}
    row |= {"rank_bound": 6, "active_before_pooling": 8, "winners": 6, "method": "none"}
    rows = finished_rows([Piece([row], [], [])])
    assert [one.claim for one in findings(rows, NAMES[:1], ["one"])] == ["C9", "C9"]
    panels = intervals(rows, NAMES[:1], ["one"])
    assert list(panels) == ["directions that\ncan pass / n"]
    assert panels["directions that\ncan pass / n"][0, 0, 0] == 0.75
    assert "| one " in summary_table(rows, NAMES[:1], ["one"])


def test_a_dense_decomposition_is_for_small_jacobians():
    def bound(outputs):
        return RankBound("layer", 100, outputs, 100, 0, ("input",))

    assert chosen_method("auto", bound(10)) == "dense"
    assert chosen_method("auto", bound(int(DENSE_ELEMENTS))) == "products"
    assert chosen_method("products", bound(10)) == "products"
