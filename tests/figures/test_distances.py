"""What the figure of distances against depth shows."""

import numpy as np
import pytest
from figure_arguments import BASELINES, names
from matplotlib.patches import Rectangle
from reading_figures import assert_readable, everything_said, lines_of, words

from depthjax import figures

# What other tests left open may be collected at any time, and is no figure's.
pytestmark = pytest.mark.filterwarnings("error", "ignore::ResourceWarning")


def test_depth_draws_each_restart_and_the_median_of_what_is_finite():
    d = np.array([[[1, 2], [3, np.nan]], [[4, 4], [np.inf, 6]]])
    figure = figures.distances_against_depth(names(2), d, d / 10, BASELINES)
    above, below = figure.axes
    drawn = lines_of(above)
    for column in ([1, 4], [2, 4], [3, np.nan], [np.nan, 6]):
        assert any(np.array_equal(line, column, equal_nan=True) for line in drawn)
    assert any(np.array_equal(line, [2, 4]) for line in drawn if len(line) == 2)
    thickest = max(above.lines, key=lambda line: line.get_linewidth())
    np.testing.assert_allclose(thickest.get_ydata(), [2, 4])
    thickest = max(below.lines, key=lambda line: line.get_linewidth())
    np.testing.assert_allclose(thickest.get_ydata(), [0.2, 0.4])
    assert "4 of 16 values not finite" in everything_said(figure)


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((3,), "n = 1 image × 1 start"),
        ((3, 2), "n = 2 images × 1 start"),
        ((3, 4, 2), "n = 2 images × 4 starts"),
    ],
)
def test_depth_states_n(shape, size):
    figure = figures.distances_against_depth(names(3), np.ones(shape), np.ones(shape), {})
    said = everything_said(figure)
    assert size in said
    assert "not finite" not in said
    assert ("median" in said) == (np.prod(shape[1:]) > 1)


def test_depth_names_each_baseline_at_its_median_with_a_band():
    given = {**BASELINES, "my own": [0.3, 0.1, 0.2], "unknown": [np.nan]}
    figure = figures.distances_against_depth(names(2), np.ones((2, 1)), np.ones((2, 1)), given)
    said = words(figure)
    for text in ("start D₀  8", "mean colour  4.5", "blurred target  2.5", "my own  0.2"):
        assert text in said
    assert not any("unknown" in text for text in said)
    assert said.count("noisy copy") == 2
    above, below = figure.axes
    heights = [line[0] for line in lines_of(above)]
    assert {8.0, 4.5, 2.5, 0.2, 1.0} <= set(np.round(heights, 9))
    bands = [patch for patch in above.patches if isinstance(patch, Rectangle)]
    spans = {(round(b.get_y(), 9), round(b.get_y() + b.get_height(), 9)) for b in bands}
    assert spans == {(7.9, 8.1), (4.0, 5.0), (2.0, 3.0), (0.1, 0.3)}
    assert 1.0 in {line[0] for line in lines_of(below)}


def test_depth_keeps_the_names_of_near_baselines_apart():
    close = {name: [8 + i / 1000] for i, name in enumerate(("start", "flat", "blur", "x", "y"))}
    d = np.array([[1e-6], [9.0]])
    assert_readable(figures.distances_against_depth(names(2), d, d, close))


@pytest.mark.parametrize("least", [0.0, 1e-6], ids=str)
def test_one_exact_layer_leaves_the_others_their_room(least):
    d = np.array([[1e-6, least], [0.5, 8.0]])
    figure = figures.distances_against_depth(names(2), d, d, {"start": [8.0]})
    edge = 8e-4
    for axes in figure.axes:
        bottom, top = axes.get_ylim()
        assert bottom < (edge if least else 0) and top > 8
        assert any(np.allclose(line, [edge, 0.5]) for line in lines_of(axes))
        zero, at_edge, half, most = axes.transData.transform(
            [(0, least), (0, edge), (0, 0.5), (0, 8)]
        )[:, 1]
        height = axes.get_window_extent().height
        # Neither end squeezed into the other; zero has a place of its own.
        assert most - at_edge > 0.6 * height and half - at_edge > 0.4 * height
        assert least or at_edge - zero > 0.02 * height
    assert "lowest points: as low or lower" in everything_said(figure)
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert ("0" in labels) == (least == 0)
    near = figures.distances_against_depth(names(2), d + 0.01, d + 0.01, {})
    assert "lowest points" not in everything_said(near)


def test_depth_has_a_panel_of_r2():
    d, r2 = np.ones((3, 1, 2)), np.linspace(0, 1, 6).reshape(3, 1, 2)
    figure = figures.distances_against_depth(names(3), d, d, BASELINES, luminance_r2=r2)
    assert_readable(figure)
    _, panel, _ = figure.axes
    assert any(np.array_equal(line, r2[:, 0, 1]) for line in lines_of(panel))
    assert panel.get_ylabel().startswith("r²") and panel.get_yscale() == "linear"
    with pytest.raises(ValueError, match=r"\(3, 1, 2\), but luminance_r2 \(3, 1\)"):
        figures.distances_against_depth(names(3), d, d, BASELINES, luminance_r2=r2[..., 0])


def test_depth_labels_the_layers_in_order():
    layers = ["z", "a", *names(10)]
    figure = figures.distances_against_depth(layers, np.ones(12), np.ones(12), {})
    assert [text.get_text() for text in figure.axes[1].get_xticklabels()] == layers
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim()
