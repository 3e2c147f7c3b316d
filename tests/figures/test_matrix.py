"""What the matrix of ratios shows."""

import numpy as np
import pytest
from figure_arguments import matrix_arguments
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from reading_figures import everything_said

from depthjax import figures

# What other tests left open may be collected at any time, and is no figure's.
pytestmark = pytest.mark.filterwarnings("error", "ignore::ResourceWarning")


def mesh_of(figure: Figure) -> QuadMesh:
    return next(found for found in figure.axes[0].collections if isinstance(found, QuadMesh))


def test_matrix_rows_are_where_from_and_columns_where_measured():
    ratio = np.array([[0.11, 2.0, 30.0], [np.nan, 0.0, np.inf]])
    figure = figures.ratio_matrix(["r0", "r1"], ["c0", "c1", "c2"], ratio)
    axes = figure.axes[0]
    assert axes.get_ylabel() == "image recovered from"
    assert axes.get_xlabel() == "measured at"
    assert [text.get_text() for text in axes.get_yticklabels()] == ["r0", "r1"]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["c0", "c1", "c2"]
    assert axes.yaxis_inverted(), "shallow above deep"
    written = {text.get_position(): text.get_text() for text in axes.texts}
    assert written == {
        (0, 0): "0.11",
        (1, 0): "2",
        (2, 0): "30",
        (0, 1): "–",
        (1, 1): "0",
        (2, 1): "∞",
    }
    assert "Grey" in everything_said(figure)


def test_matrix_colours_are_centred_on_the_noisy_copy():
    mesh = mesh_of(figures.ratio_matrix(["a"], ["b", "c", "d"], [[0.01, 1.0, 2.0]]))
    assert mesh.norm(1.0) == pytest.approx(0.5)
    assert mesh.norm(0.01) == pytest.approx(0)
    assert mesh.norm(0.1) == pytest.approx(0.25)
    blue, white, reddish = mesh.cmap(mesh.norm([0.01, 1.0, 2.0]))[:, :3]
    assert blue[2] > blue[0]
    assert white.min() > 0.9
    assert reddish[0] > reddish[2]


@pytest.mark.parametrize(("columns", "written"), [(14, 28), (15, 0)])
def test_matrix_writes_values_while_there_is_room(columns, written):
    figure = figures.ratio_matrix(*matrix_arguments(2, columns))
    assert len(figure.axes[0].texts) == written


def test_matrix_outlines_where_the_layers_are_the_same():
    figure = figures.ratio_matrix(["a", "b"], ["b", "c", "a"], np.ones((2, 3)))
    outlines = [p for p in figure.axes[0].patches if isinstance(p, Rectangle)]
    assert {patch.get_xy() for patch in outlines} == {(1.5, -0.5), (-0.5, 0.5)}
    assert "Outlined" in everything_said(figure)
    figure = figures.ratio_matrix(["a"], ["b"], [[1.0]])
    assert "Outlined" not in everything_said(figure)
