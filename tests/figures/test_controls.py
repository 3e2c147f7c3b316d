"""What the figure of controls shows, and what it refuses."""

import numpy as np
import pytest
from reading_figures import legend_words

from depthjax import figures
from depthjax.figures.controls import Control

# What other tests left open may be collected at any time, and is no figure's.
pytestmark = pytest.mark.filterwarnings("error", "ignore::ResourceWarning")


def test_controls_have_a_line_each_and_predictions_above_rounding():
    measured = np.array([[1e-6, 2e-6], [3.0, 4.0]])
    told = np.array([[1e-20, 1e-20], [3.0, 4.0]])
    controls = {"orthogonal": Control(measured, told)}
    figure = figures.controls_against_depth(["1", "2"], controls, 6.0, floor=1e-5)
    marks = [line for line in figure.axes[0].get_lines() if line.get_marker() == "D"]
    np.testing.assert_allclose([mark.get_ydata() for mark in marks], [[np.nan, 3.5]])
    assert legend_words(figure)[:2] == ["orthogonal", "predicted (above 1e-5)"]


@pytest.mark.parametrize(
    ("controls", "message"),
    [
        ({}, "no controls"),
        (
            {"a": Control(np.ones((2, 3)), np.ones((2, 3)))},
            r"1 depths, but the D of a has shape \(2, 3\)",
        ),
    ],
)
def test_nothing_to_draw(controls, message):
    with pytest.raises(ValueError, match=message):
        figures.controls_against_depth(["1"], controls, 6.0)
