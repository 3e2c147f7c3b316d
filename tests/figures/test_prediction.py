"""What the figures of predictions show, and what they refuse."""

import numpy as np
import pytest
from reading_figures import legend_words

from depthjax import figures
from depthjax.figures.prediction import Curve, Pairs

# What other tests left open may be collected at any time, and is no figure's.
pytestmark = pytest.mark.filterwarnings("error", "ignore::ResourceWarning")


def test_curves_are_lines_over_points_with_what_is_lost():
    predicted = np.linspace(5, 1, 11)[:, None] * np.ones((1, 2))
    curve = Curve([0, 5, 10], predicted[::5], predicted, np.array([0.5, 0.8]))
    figure = figures.predicted_curves({"fc1": curve, "fc2": curve}, title="linear")
    assert [axes.get_title() for axes in figure.axes] == ["fc1", "fc2"]
    lines = figure.axes[0].get_lines()
    drawn = [line.get_xydata() for line in lines if line.get_marker() == "."]
    np.testing.assert_allclose(drawn, [[[0, 5], [5, 3], [10, 1]]] * 2)
    lost = sorted(line.get_ydata()[0] for line in lines if line.get_linewidth() == 0.6)
    assert lost == [0.5, 0.8]
    assert {"predicted", "measured", "in the null space"} <= set(legend_words(figure))


def test_ends_lie_beside_the_diagonal():
    predicted = np.array([[1.0, 2.0], [3.0, 4.0]])
    pairs = Pairs(predicted, predicted + 0.5, 0.75)
    figure = figures.predicted_against_measured(
        {"relu": {"a": pairs, "b": pairs}, "n": {"a": pairs}}
    )
    axes = figure.axes[0]
    assert axes.get_title() == "a   R² 0.75" and axes.get_xlim() == axes.get_ylim()
    points = [line.get_xydata() for line in axes.get_lines() if line.get_marker() == "."]
    np.testing.assert_allclose(points, np.stack([predicted, predicted + 0.5], -1))
    assert not figure.axes[3].axison and legend_words(figure)[:2] == ["0", "1"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: figures.predicted_curves({}), "no descents"),
        (lambda: figures.predicted_against_measured({"relu": {}}), "no descents"),
    ],
)
def test_nothing_to_draw(call, message):
    with pytest.raises(ValueError, match=message):
        call()
