"""C9 and C16 from pieces made by hand: of layers whose spectra are known."""

from itertools import product

import numpy as np
import pytest
from study_rows import JACOBIAN_LAYERS, jacobian_rows, piece

from depthjax.analysis.accounting import RankBound
from depthjax.analysis.singular_values import spectral_curve, spectrum_from_values
from depthjax.studies.jacobian import drawn
from depthjax.studies.jacobian.judged import (
    conditioning_slopes,
    findings,
    finished_rows,
    fixed_rank,
    intervals,
    summary_table,
)
from depthjax.studies.jacobian.measured import (
    DENSE_ELEMENTS,
    Piece,
    chosen_method,
)

NAMES = ("conv1", "deep")
LEVEL_NAMES = ("half_rank", "fixed_rank")


@pytest.fixture
def rows():
    return jacobian_rows()


def test_layers_are_compared_at_half_of_their_own_rank_bound_and_at_one_rank(rows):
    assert fixed_rank(rows) == 4
    for name, end in product(("half_rank", "fixed_rank"), ("low", "high")):
        levels = [row[f"{name}_{end}"] for row in rows[:6:3]]
        assert levels == pytest.approx([0.5**3, 0.25**3], rel=0.02)
    (bound, *_), (other, *_) = (
        finished_rows([piece("conv1", 0, 0, 0.5, rank_bound=2), piece("deep", 1, 0, 0.5)])[i::3]
        for i in (0, 3)
    )
    assert bound["above_1e-6_high"] == 2
    levels = [[row[f"{name}_high"] for row in (bound, other)] for name in LEVEL_NAMES]
    np.testing.assert_allclose(levels, [[1, 0.5**3], [1, 1]], rtol=0.02)
    assert fixed_rank([{"rank_bound": 1}]) == 1


def test_fewer_dimensions_make_no_slope_by_themselves():
    """Half of the singular values of each layer lie above the same level."""
    spectra = {"wide": np.linspace(0, 3, 8), "narrow": np.linspace(0, 3, 4)}
    pieces = []
    for seed, (depth, (name, logs)) in product((0, 1, 2), enumerate(spectra.items())):
        made = piece(name, depth, seed, 0.5, rank_bound=len(logs), outputs=len(logs))
        spectrum = spectrum_from_values(np.exp(-logs)[None], 8, len(logs))
        curve = spectral_curve(spectrum).lists()
        pieces.append(made._replace(curves=[curve] * 3))
    rows = finished_rows(pieces)
    own, one = (
        conditioning_slopes(rows, list(spectra), "untrained", level) for level in LEVEL_NAMES
    )
    assert abs(own).max() < 0.35 and one.min() > 0.5


def test_within_stages_there_is_an_intercept_for_each():
    """Worse from stage to stage alone is no contraction at equal dimensions."""
    names, pieces = ("a", "b", "c", "d"), []
    for seed, (depth, name) in product((0, 1, 2), enumerate(names)):
        decay = (0.8, 0.9, 0.4, 0.5)[depth]
        pieces.append(piece(name, depth, seed, decay, outputs=8 if depth < 2 else 6))
    found = [f for f in findings(finished_rows(pieces), names, ["untrained"]) if f.claim == "C16"]
    over, within, fixed = found
    assert over.interval.estimate > 0 > within.interval.estimate
    assert (over.part, within.part) == ("contract_with_depth", "contract_within_stages")
    assert fixed.aside == "contrast" and within.note == "within stages"


def test_what_is_lost_and_what_is_ill_conditioned_is_found(rows):
    assert not [one for one in findings(rows, NAMES, ["untrained"]) if one.claim == "C16"]
    found = findings(rows, JACOBIAN_LAYERS, ["untrained"])
    smallest, before, after, slope, _, _ = found
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


def test_no_more_singular_values_are_drawn_than_can_pass():
    levels, low, high = drawn._within_rank([[1.0, 0.1], [1.0, 40.0], [3.0, 900.0]], 50)
    assert (levels, low, high) == ([1.0, 0.1], [1.0, 40.0], [3.0, 50.0])
