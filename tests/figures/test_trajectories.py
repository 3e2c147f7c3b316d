"""What the figure of trajectories shows."""

import numpy as np
import pytest
from figure_arguments import names, trajectory_arguments
from matplotlib.colors import to_hex
from reading_figures import everything_said, lines_of, words

from depthjax import figures

# What other tests left open may be collected at any time, and is no figure's.
pytestmark = pytest.mark.filterwarnings("error", "ignore::ResourceWarning")


def test_trajectories_show_each_descent_and_the_median_against_step_and_ratio():
    rho = np.array([[8.0, 4, 6], [2, np.nan, 1], [0.5, 0.1, 0.2]])
    d = np.array([[6.0, 5, 4], [3, 2, 1], [0.3, 0.2, 0.1]])
    figure = figures.trajectories(["conv1"], [0, 10, 20], [rho], [d])
    left, right = figure.axes
    assert "n = 3 descents per layer" in everything_said(figure)
    thick = max(left.lines, key=lambda line: line.get_linewidth())
    np.testing.assert_allclose(thick.get_ydata(), [6, 1.5, 0.2])
    np.testing.assert_array_equal(thick.get_xdata(), [0, 10, 20])
    assert any(np.array_equal(line, rho[:, 1], equal_nan=True) for line in lines_of(left))
    thick = max(right.lines, key=lambda line: line.get_linewidth())
    np.testing.assert_allclose(thick.get_xdata(), [6, 1.5, 0.2])
    np.testing.assert_allclose(thick.get_ydata(), [5, 2, 0.2])
    first, last = right.get_xlim()
    assert first > 8 > 0.1 > last, "a better match lies to the right"
    assert left.get_xlim()[0] < 0 < 20 < left.get_xlim()[1]


def test_trajectories_take_steps_for_each_layer():
    rho = [np.ones((3, 1)), np.ones((2, 4))]
    figure = figures.trajectories(names(2), [[0, 1, 2], [0, 50]], rho, rho)
    drawn = [list(line.get_xdata()) for line in figure.axes[0].lines]
    assert [0, 1, 2] in drawn
    assert [0, 50] in drawn
    assert "n = 1–4 descents per layer" in everything_said(figure)


@pytest.mark.parametrize("layers", [3, 12, 13, 40])
def test_trajectories_colour_layers_by_depth_and_say_which_is_which(layers):
    figure = figures.trajectories(*trajectory_arguments(1, layers))
    thick = [line for line in figure.axes[0].lines if line.get_linewidth() > 1.5]
    thick = [line for line in thick if len(line.get_xdata()) == 8]
    colours = [to_hex(line.get_color()) for line in thick]
    assert len(set(colours)) == len(colours) == layers
    red_green_blue = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in colours])
    brightness = red_green_blue @ [0.299, 0.587, 0.114]
    assert (np.diff(brightness) > 0).all()
    named = [text for text in words(figure) if text.startswith("features.")]
    if layers <= 12:
        assert named == names(layers)
        handles = figure.legends[0].legend_handles
        assert [to_hex(handle.get_color()) for handle in handles] == colours
    else:
        assert named[0] == "features.0"
        assert 6 <= len(named) <= 14


def test_trajectories_say_when_there_is_no_distance():
    rho = np.ones((2, 1))
    figure = figures.trajectories(["a"], [0, 1], [rho], [rho * np.nan])
    assert "D was not recorded" in everything_said(figure)


def test_a_descent_that_recovers_exactly_leaves_the_others_their_room():
    rho = np.array([[8.0], [1.0], [0.01]])
    figure = figures.trajectories(names(2), [0, 10, 20], [rho] * 2, [rho * 1e-5, rho])
    right = figure.axes[1]
    assert right.get_ylim()[0] > 1e-4
    assert any(np.allclose(line.get_ydata(), 8e-4) for line in right.lines)
    assert "lowest points" in everything_said(figure)
