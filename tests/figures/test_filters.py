"""What the figure of filters shows."""

import numpy as np
import pytest
from reading_figures import assert_readable, everything_said, pictures

from depthjax import figures

# What other tests left open may be collected at any time, and is no figure's.
pytestmark = pytest.mark.filterwarnings("error", "ignore::ResourceWarning")


@pytest.mark.parametrize("count", [1, 8, 64, 200])
@pytest.mark.parametrize("channels", [1, 3])
def test_filters_can_be_read(count, channels):
    filters = np.random.default_rng(0).random((count, 3, 3, channels)).astype(np.float32)
    labels = ("untrained", "photos", "noise")
    figure = figures.filter_grid(
        dict.fromkeys(labels, filters),
        dict.fromkeys(labels, "energy 1.02, n = 3 × 64"),
        title="layer4.1.conv2, output 0, seed 0",
    )
    assert_readable(figure)
    said = everything_said(figure)
    assert all(label in said for label in labels) and "n = 3 × 64" in said
    assert ("The first 64 of 200" in said) == (count == 200)


def test_filters_stand_in_the_order_of_their_channels():
    filters = np.linspace(0, 1, 6, dtype=np.float32)[:, None, None, None] * np.ones((6, 3, 3, 1))
    figure = figures.filter_grid({"one": filters})
    assert_readable(figure)
    mosaic = np.asarray(pictures(figure)[0].get_array())[..., 0]
    corners = [mosaic[y, x] for y in (0, 14) for x in (0, 14, 28)]
    np.testing.assert_allclose(corners, filters[:, 0, 0, 0])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "no filters to draw"),
        ({"a": np.ones((2, 3, 3))}, "the filters of a must be"),
        ({"a": np.ones((2, 3, 3, 2))}, "the filters of a must be"),
        ({"a": np.ones((0, 3, 3, 1))}, "the filters of a must be"),
    ],
)
def test_filters_that_do_not_fit(given, message):
    with pytest.raises(ValueError, match=message):
        figures.filter_grid(given)
