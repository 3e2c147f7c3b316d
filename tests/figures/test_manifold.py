"""What the figure of nearness against depth shows."""

import numpy as np
import pytest
from reading_figures import assert_readable, everything_said

from depthjax import figures

# What other tests left open may be collected at any time, and is no figure's.
pytestmark = pytest.mark.filterwarnings("error", "ignore::ResourceWarning")


LAYERS = ["conv1", "layer1", "layer2", "layer3", "layer4"]


KINDS = ("photographs", "Gaussian noise", "1/f noise", "uniform noise")


def ratios(layers, rows, columns, networks, seeds=3):
    random = np.random.default_rng(0)
    return {
        row: {
            column: {name: 10 ** random.uniform(-1, 1, (layers, seeds)) for name in networks}
            for column in columns
        }
        for row in rows
    }


@pytest.mark.parametrize(
    ("layers", "rows", "columns", "networks"),
    [
        (5, ("neighbour ratio\nnoise/32", "residual ratio\nnoise/32"), KINDS, ("untrained", "a")),
        (1, ("neighbour ratio",), ("noise",), ("untrained",)),
        (12, ("a", "b", "c", "d"), KINDS[:2], ("untrained", "photos", "noise", "other")),
    ],
)
def test_ratios_can_be_read(layers, rows, columns, networks):
    labels = [f"layer{1 + i // 3}.{i % 3}" for i in range(layers)]
    figure = figures.nearness_against_depth(labels, ratios(layers, rows, columns, networks))
    assert_readable(figure)
    said = everything_said(figure)
    for name in (*labels[:1], *columns, *networks):
        assert name in said
    assert "n = 3 seeds" in said
    assert "1: median distance of two training examples (dashed)" in said


def test_every_line_stands_where_its_values_are():
    given = ratios(5, ("r",), ("k",), ("untrained", "photos"))
    figure = figures.nearness_against_depth(LAYERS, given)
    lines = [line.get_ydata() for line in figure.axes[0].lines if len(line.get_xdata()) == 5]
    for values in given["r"]["k"].values():
        for wanted in (*values.T, np.median(values, axis=1)):
            assert any(np.allclose(line, wanted) for line in lines)


def test_panels_that_are_not_there_stay_empty():
    given = ratios(5, ("r", "s"), ("k", "l"), ("untrained",))
    del given["s"]["l"]
    figure = figures.nearness_against_depth(LAYERS, given)
    assert_readable(figure)
    assert [axes.axison for axes in figure.axes] == [True, True, True, False]


def test_what_is_not_finite_is_counted():
    given = ratios(5, ("r",), ("k",), ("untrained",))
    given["r"]["k"]["untrained"][2, 1] = np.nan
    assert "1 of 15 values not finite" in everything_said(
        figures.nearness_against_depth(LAYERS, given)
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "no ratios to draw"),
        ({"r": {"k": {}}}, "no ratios to draw"),
        ({"r": {"k": {"a": np.ones((4, 3))}}}, r"ratios of a have shape \(4, 3\)"),
        ({"r": {"k": {"a": np.ones(5)}}}, "shape"),
    ],
)
def test_ratios_that_do_not_fit(given, message):
    with pytest.raises(ValueError, match=message):
        figures.nearness_against_depth(LAYERS, given)
