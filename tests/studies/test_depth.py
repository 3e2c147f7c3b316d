"""Claims C1 to C3 on numbers that are made up, so that the verdict is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from study_rows import blocks

import depthjax
from depthjax.studies.depth.judged import MATCHED_RATIO, findings, slopes
from depthjax.studies.depth.measured import Block, block_names, blocks_of


def verdicts(*networks, claim):
    return {f"{f.where}: {f.statistic}": f.verdict for f in findings(networks)
            if f.title == claim}  # fmt: skip


@pytest.mark.parametrize(
    ("d", "within", "over"),
    [
        (np.arange(1, 9.0), "supported", "supported"),
        (np.arange(9.0, 1, -1), "contradicted", "contradicted"),
        (np.ones(8), "open", "open"),
        # Worse from stage to stage alone: within a stage, where dimensions are equal, better.
        (np.array([1, 0.9, 2, 1.8, 4, 3.6, 8, 7.2]), "contradicted", "supported"),
    ],
)
def test_c1_within_stages_and_over_them(d, within, over):
    found = list(verdicts(blocks(d=d), claim="C1").values())
    assert found == [within, over]
    each = verdicts(blocks(d=d), claim="C1, contrast")
    assert len(each) == 4 and set(each.values()) == {within}


def test_c2_needs_a_matched_embedding_and_a_missed_image():
    assert list(verdicts(blocks(), claim="C2").values()) == ["supported", "supported"]
    assert list(verdicts(blocks(rho=0.9), claim="C2").values()) == ["contradicted", "supported"]
    assert list(verdicts(blocks(shown=0.8), claim="C2").values()) == ["supported", "contradicted"]
    assert list(verdicts(blocks(shown=0.5), claim="C2").values()) == ["supported", "open"]


@pytest.mark.parametrize(
    ("shallow", "deep", "verdict"),
    [(5.0, 6.0, "supported"), (6.0, 5.0, "contradicted"), (5.0, 5.0, "open")],
)
def test_c2_of_deeper_networks(shallow, deep, verdict):
    pair = blocks(deep=shallow), blocks("resnet34", deep=deep)
    found = verdicts(*pair, claim="C2")
    assert [v for where, v in found.items() if "resnet34 − resnet18" in where] == [verdict]
    other = blocks("resnet50", deep=9.0, kind="bottleneck")
    assert not [where for where in verdicts(pair[0], other, claim="C2") if "−" in where]


@pytest.mark.parametrize(
    ("bend", "verdict"), [(0.0, "supported"), (0.5, "contradicted"), (0.05, "open")]
)
def test_c3_is_judged_at_the_end_of_the_last_stage(bend, verdict):
    assert verdicts(blocks(bend=bend), claim="C3") == {
        "resnet18, layer4: elasticity d log D / d log ρ": verdict
    }
    assert len(verdicts(blocks(bend=bend), claim="C3, contrast")) == 7


def test_descents_that_did_not_get_there_are_counted():
    found = blocks()
    found.values["input_ratio_at_0.1"][0, 3, :2] = np.nan
    found.values["elasticity"][:, -1] = np.nan
    told = [f for f in findings([found]) if f.title in ("C1", "C3")]
    assert "(94 of 96)" in told[0].statistic and told[0].verdict == "supported"
    assert told[-1].verdict == "not reached" and "(0 of 12)" in told[-1].statistic


@given(
    values=arrays(np.float64, (2, 5, 3), elements=st.floats(-10, 10)),
    rise=st.floats(-3, 3),
    shifts=arrays(np.float64, 2, elements=st.floats(-50, 50)),
)
def test_slopes_are_those_of_least_squares(values, rise, shifts):
    """Against NumPy's solver; what a whole group has in common changes nothing."""
    index, groups = np.array([1.0, 2, 3, 4, 6]), [0, 0, 1, 1, 1]
    moved = values + rise * index[None, :, None] + shifts[groups][None, :, None]
    design = np.stack([index, np.equal(groups, 0), np.equal(groups, 1)], 1).astype(float)
    flat = values.transpose(1, 0, 2).reshape(5, -1)
    expected = np.linalg.lstsq(design, flat, rcond=None)[0][0].reshape(2, 3)
    np.testing.assert_allclose(slopes(values, index, groups), expected, atol=1e-9)
    np.testing.assert_allclose(slopes(moved, index, groups), expected + rise, atol=1e-9)


def test_slopes_leave_out_what_is_not_there():
    values = np.array([[0.0, 2, np.nan, 6, 8], [0, 2, np.nan, np.nan, 8], [np.nan] * 5])
    found = slopes(values[:, :, None], np.arange(5.0), [0] * 5)
    np.testing.assert_allclose(found[:, 0], [2, np.nan, np.nan])  # four of five must be there


def test_blocks_by_their_names():
    model = depthjax.build_model("resnet18", stage_sizes=(2, 3))
    assert block_names(model) == ["layer1.0", "layer1.1", "layer2.0", "layer2.1", "layer2.2"]
    assert blocks_of(model, ["layer1", "layer2.0", "conv3"]) == [
        Block("layer1", 1, 2),
        Block("layer2.0", 2, 3),
        Block("conv3", 2, 5),
    ]
    with pytest.raises(ValueError, match=r"'conv1' is not the output of a residual block; .*2\.2"):
        blocks_of(model, ["conv1"])


def test_rows_are_tidy():
    rows = blocks().rows()
    assert len(rows) == 3 * 8 * 4
    assert rows[-1]["layer"] == "layer4" and rows[-1]["block"] == 8 and rows[-1]["image"] == "d"
    assert rows[-1]["input_ratio"] == blocks().values["input_ratio"][2, -1, 3]
    assert MATCHED_RATIO == 0.1
