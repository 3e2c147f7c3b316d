"""What figures of theory and of controls show, and what they refuse."""

import numpy as np
import pytest

from depthjax import figures
from depthjax.figures.controls import Control
from depthjax.figures.prediction import Curve, Pairs

# What other tests left open may be collected at any time, and is no figure's.
pytestmark = pytest.mark.filterwarnings("error", "ignore::ResourceWarning")


def words(figure):
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    return [*legend, figure.legends[0].get_title().get_text()]


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
    assert {"predicted", "measured", "in the null space"} <= set(words(figure))


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
    assert not figure.axes[3].axison and words(figure)[:2] == ["0", "1"]


def test_controls_have_a_line_each_and_predictions_above_rounding():
    measured = np.array([[1e-6, 2e-6], [3.0, 4.0]])
    told = np.array([[1e-20, 1e-20], [3.0, 4.0]])
    controls = {"orthogonal": Control(measured, told)}
    figure = figures.controls_against_depth(["1", "2"], controls, 6.0, floor=1e-5)
    marks = [line for line in figure.axes[0].get_lines() if line.get_marker() == "D"]
    np.testing.assert_allclose([mark.get_ydata() for mark in marks], [[np.nan, 3.5]])
    assert words(figure)[:2] == ["orthogonal", "predicted (above 1e-5)"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: figures.predicted_curves({}), "no descents"),
        (lambda: figures.predicted_against_measured({"relu": {}}), "no descents"),
        (lambda: figures.controls_against_depth(["1"], {}, 6.0), "no controls"),
        (
            lambda: figures.controls_against_depth(
                ["1"], {"a": Control(np.ones((2, 3)), np.ones((2, 3)))}, 6.0
            ),
            r"1 depths, but the D of a has shape \(2, 3\)",
        ),
    ],
)
def test_nothing_to_draw(call, message):
    with pytest.raises(ValueError, match=message):
        call()
