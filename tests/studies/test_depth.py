"""Claims C1 to C3 on numbers that are made up, so that the verdict is known."""

import numpy as np
import pytest
from study_rows import blocks

import depthjax
from depthjax.claims.judging import judge_claim
from depthjax.claims.paper import CLAIMS
from depthjax.studies.depth.judged import (
    MATCHED_RATIO,
    findings,
    matched_brackets,
)
from depthjax.studies.depth.measured import Block, block_names, blocks_of, nearest


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
    found = [one for one in findings([blocks(bend=bend)]) if one.title == "C3"]
    assert [(one.where, one.part) for one in found] == [
        ("resnet18, layer4", "image_stays_lost"),
        ("resnet18, layer4", "image_recedes"),
    ]
    assert found[0].verdict == verdict
    assert len(verdicts(blocks(bend=bend), claim="C3, contrast")) == 7


@pytest.mark.parametrize(
    ("bend", "verdict"), [(-0.1, "supported"), (0.1, "contradicted"), (0.0, "open")]
)
def test_c3_tells_whether_the_image_comes_nearer_or_recedes(bend, verdict):
    """The paper says that it recedes. Either way it stays lost or not; the sign has no vote."""
    told = judge_claim(CLAIMS["C3"], findings([blocks(bend=bend)]))
    sign = next(part for part in told.parts if part.name == "image_recedes")
    assert sign.whole.judged() == verdict and not sign.part.votes


def test_descents_that_did_not_get_there_are_bounded():
    """Of a shallow block D may be as large as where the descent ended, of a deep one smaller."""
    found, other = blocks(), blocks()
    shallow, deep = (0, 0, 0), (0, 7, 1)
    for place, d in ((shallow, 1.5), (deep, 8.0)):
        found.values["input_ratio_at_0.1"][place] = np.nan
        found.values["nearest_embedding_ratio"][place] = 0.2
        found.values["nearest_input_ratio"][place] = d
    low, high = matched_brackets(found)
    np.testing.assert_allclose(np.exp(high[deep]), 8.0)
    np.testing.assert_allclose(np.exp(low[deep]), 4.0)  # D falls no faster than ρ
    unchanged = np.isfinite(found.values["input_ratio_at_0.1"])
    np.testing.assert_array_equal(low[unchanged], high[unchanged])
    other.values["input_ratio_at_0.1"][shallow] = 1.5
    other.values["input_ratio_at_0.1"][deep] = 4.0
    (_, bounded), (_, exact) = (
        [one for one in findings([blocks_]) if one.title == "C1"] for blocks_ in (found, other)
    )
    np.testing.assert_allclose(bounded.measured.table, exact.measured.table, rtol=1e-5)
    assert "(94 of 96)" in bounded.statistic and bounded.statistic.startswith("least slope")
    assert bounded.verdict == "supported" and bounded.search and not exact.search


def test_where_many_descents_did_not_get_there_nothing_is_judged():
    found = blocks(d=np.arange(9.0, 1, -1))
    found.values["input_ratio_at_0.1"][:, :2] = np.nan
    found.values["nearest_embedding_ratio"][:, :2] = 0.2
    found.values["elasticity"][:, -1] = np.nan
    told = [f for f in findings([found]) if f.title in ("C1", "C3")]
    assert {one.verdict for one in told} == {"not reached"}
    assert "(72 of 96)" in told[0].statistic and "(0 of 12)" in told[-1].statistic
    found.values["input_ratio_at_0.1"][:, 1] = 8.0  # seven of eight
    told = [f for f in findings([found]) if f.title == "C1"]
    assert {one.verdict for one in told} == {"not found"}  # a bound is no contradiction


def test_the_nearest_record_of_a_descent():
    rho = np.array([[3.0, 1.0, np.nan], [0.5, 2.0, np.nan], [np.nan, 4.0, np.nan]])
    d = np.array([[9.0, 5.0, 1.0], [8.0, 6.0, 1.0], [7.0, 7.0, 1.0]])
    found = nearest(rho, d)
    np.testing.assert_array_equal(found["nearest_embedding_ratio"], [0.5, 1.0, np.nan])
    np.testing.assert_array_equal(found["nearest_input_ratio"], [8.0, 5.0, np.nan])


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
