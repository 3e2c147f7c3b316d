"""Tables of rows, slopes over layers, and networks of several seeds: what all studies share."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from study_rows import (
    JACOBIAN_LAYERS,
    TRAINED_ON,
    WITNESS_ROWS,
    compared,
    comparison_of,
    jacobian_rows,
    manifold_rows,
    prediction_rows,
    preimage_rows,
)
from width_rows import (
    WIDTHS,
    depth_rows,
    late_width_rows,
    null_space_rows,
    relu_rows,
    second_relu_rows,
    smooth_rows,
)

import depthjax
from depthjax.folders.begin import begin
from depthjax.folders.results import read_rows, write_results
from depthjax.models.normalization import as_normalization
from depthjax.statistics import depth_slopes, least_slopes
from depthjax.studies.comparison import judged as comparison
from depthjax.studies.jacobian import judged as jacobian
from depthjax.studies.manifold import judged as manifold
from depthjax.studies.networks import (
    Weights,
    aside_of,
    places,
    same_normalization,
    single_networks,
    untrained_label,
    weight_records,
)
from depthjax.studies.prediction import judged as prediction
from depthjax.studies.preimages import judged as preimages
from depthjax.studies.rows import among, seed_table, with_all_columns
from depthjax.studies.widths import judged as widths
from depthjax.studies.widths.measured import PAPER
from depthjax.studies.witnesses import judged as witnesses

ROWS = [
    {"seed": seed, "image": image, "layer": layer, "value": 100 * seed + 10 * place + depth}
    for seed in (3, 1)
    for depth, layer in enumerate(("shallow", "deep"))
    for place, image in enumerate(("b", "a", "c"))
]


def test_a_table_holds_one_place_in_the_order_of_its_rows():
    found = seed_table(ROWS, "value", layer="deep")
    np.testing.assert_array_equal(found, [[301, 311, 321], [101, 111, 121]])
    tenfold = seed_table(ROWS, lambda row: 10 * row["value"], layer="deep")
    np.testing.assert_array_equal(tenfold, 10 * found)
    assert len(among(ROWS, layer="deep", image="a")) == 2


def test_rows_of_one_seed_and_image_are_averaged():
    both = seed_table(ROWS, "value")
    np.testing.assert_array_equal(both[0], [300.5, 310.5, 320.5])
    by_layer = seed_table(ROWS, "value", column="layer", average=max)
    np.testing.assert_array_equal(by_layer, [[320, 321], [120, 121]])


def test_tables_without_rows_or_with_holes():
    assert seed_table(ROWS, "value", layer="none").shape == (0, 0)
    with pytest.raises(ValueError, match="as many of image"):
        seed_table(ROWS[:-1], "value", layer="deep")


def test_rows_of_several_kinds_are_one_table():
    found = with_all_columns([{"a": 1, "b": 2}, {"c": 3, "a": 4}])
    assert found == [{"a": 1, "b": 2, "c": ""}, {"a": 4, "b": "", "c": 3}]
    assert [*found[0]] == [*found[1]] == ["a", "b", "c"]


@given(
    st.integers(2, 9),
    st.floats(-5, 5),
    st.lists(st.floats(-5, 5), min_size=1, max_size=4),
)
def test_the_slope_of_a_line_is_its_own(layers, slope, starts):
    values = np.asarray(starts)[None] + slope * np.arange(layers)[:, None]
    np.testing.assert_allclose(depth_slopes(values), slope, atol=1e-12)


def test_slopes_are_those_of_least_squares_and_know_what_is_missing():
    values = np.random.default_rng(0).normal(size=(5, 2, 3))
    expected = np.polyfit(np.arange(5), values.reshape(5, -1), 1)[0].reshape(2, 3)
    np.testing.assert_allclose(depth_slopes(values), expected)
    values[3, 0, 1], values[2, 1, 1] = np.inf, np.nan
    np.testing.assert_array_equal(np.isnan(depth_slopes(values)), [[0, 1, 0], [0, 1, 0]])


@given(
    values=arrays(np.float64, (5, 2, 3), elements=st.floats(-10, 10)),
    rise=st.floats(-3, 3),
    shifts=arrays(np.float64, 2, elements=st.floats(-50, 50)),
)
def test_slopes_within_groups_are_those_of_least_squares(values, rise, shifts):
    """Against NumPy's solver; what a whole group has in common changes nothing."""
    index, groups = [1.0, 2.0, 3.0, 4.0, 6.0], [0, 0, 1, 1, 1]
    moved = values + rise * np.reshape(index, (5, 1, 1)) + shifts[groups][:, None, None]
    design = np.stack([index, np.equal(groups, 0), np.equal(groups, 1)], 1).astype(float)
    expected = np.linalg.lstsq(design, values.reshape(5, -1), rcond=None)[0][0].reshape(2, 3)
    found = least_slopes(values, values, index, groups)
    np.testing.assert_allclose(found, expected, atol=1e-9)
    found = least_slopes(moved, moved, index, groups)
    np.testing.assert_allclose(found, expected + rise, atol=1e-9)


@given(arrays(np.float64, 6, elements=st.floats(-10, 10)), st.floats(0, 5), st.data())
def test_no_values_within_the_brackets_have_a_smaller_slope(values, width, data):
    low, high = values.copy(), values.copy()
    low[2], high[2] = low[2] - width, high[2] + width
    least = least_slopes(low, high)
    low[2] = high[2] = data.draw(st.floats(low[2], high[2]))
    assert least <= depth_slopes(low) + 1e-9


def test_a_layer_alone_in_its_group_says_nothing():
    values = np.array([0.0, 1, np.nan, 5, 8])
    assert least_slopes(values, values, groups=[0, 0, 1, 2, 2]) == pytest.approx(2)
    assert np.isnan(least_slopes(values, values, groups=range(5)))


def test_places_are_every_network_seed_and_layer():
    model = depthjax.build_model("mlp", widths=(4, 2))
    half = as_normalization("half")
    networks = {
        "trained": [Weights({"seed": s}, half, True, {"source": f"{s}.npz"}) for s in (5, 7)],
        "new": [Weights({}, None, False, {"source": "untrained", "seed": 5})] * 2,
    }
    found = places(model, ["fc1", "fc2"], networks, [5, 7])
    assert [one.columns for one in found[2:4]] == [
        {"network": "trained", "seed": 7, "layer": "fc1", "depth": 0},
        {"network": "trained", "seed": 7, "layer": "fc2", "depth": 1},
    ]
    assert len(found) == 8 and found[2].variables == {"seed": 7}
    assert [one.layer.normalization for one in found[3:5]] == [half, None]
    assert untrained_label(networks) == "new"
    assert weight_records(networks)["trained"][1] == {
        "source": "7.npz",
        "normalization": {"mean": (0.5,) * 3, "std": (0.5,) * 3},
    }
    one = {**networks, "trained": networks["trained"][:1]}
    assert [(p.network, p.seed) for p in places(model, ["fc1"], one, [5, 7])] == [
        ("trained", 5), ("new", 5), ("new", 7),
    ]  # fmt: skip
    assert single_networks(one) == ("trained",) and single_networks(networks) == ()
    assert single_networks({"new": networks["new"][:1]}) == ()
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        places(model, ["fc1"], networks, [5, 7, 9])


def test_networks_see_the_same_pixels():
    half, imagenet = as_normalization("half"), as_normalization("imagenet")
    assert same_normalization([half, half]) == half
    assert same_normalization([]) is None
    for other in (None, imagenet):
        with pytest.raises(ValueError, match="do not normalise pixels alike"):
            same_normalization([half, other])


STORED = {
    "comparison": (compared().rows(), lambda rows: comparison.findings(comparison_of(rows))),
    "jacobian": (
        jacobian_rows(),
        lambda rows: jacobian.findings(rows, JACOBIAN_LAYERS, ["untrained"]),
    ),
    "manifold": (
        manifold_rows(),
        lambda rows: manifold.findings(rows, ("fc1",), "untrained", TRAINED_ON),
    ),
    "linear": (prediction_rows(True, 0.1), prediction.findings),
    "relu": (prediction_rows(False, 0.1), prediction.findings),
    "preimages": (preimage_rows(3, 1.5), preimages.findings),
    "widths": (
        [
            *(*null_space_rows(PAPER), *depth_rows(), *relu_rows(), *late_width_rows()),
            *(*second_relu_rows(), *smooth_rows(tanh=3.0, sigmoid=3.0)),
        ],
        lambda rows: widths.findings(WIDTHS, rows, 48, 48),
    ),
    "witnesses": (WITNESS_ROWS, lambda rows: witnesses.findings(rows, ["fc1"], ["net"], 0.1)),
}


@pytest.mark.parametrize("study", STORED)
def test_stored_rows_are_judged_as_when_they_were_measured(study, tmp_path):
    """Verdicts are made again without measuring; truth, numbers and gaps survive the table."""
    rows, judge = STORED[study]
    with begin(tmp_path, {}) as folder:
        write_results(folder, with_all_columns(rows), [])
    again = [finding.record() for finding in judge(read_rows(tmp_path))]
    assert again == [finding.record() for finding in judge(rows)] and again


def test_rows_that_are_not_there(tmp_path):
    with pytest.raises(ValueError, match=r"it has no results\.csv"):
        read_rows(tmp_path)


def test_networks_called_control_have_no_vote():
    labels = ("control", "control2", "photos", "uncontrolled")
    assert [aside_of(label) for label in labels] == ["control", "control", "", ""]
