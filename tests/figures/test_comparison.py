"""The figure of several networks: what it draws, what it leaves out, what it refuses."""

import numpy as np
import pytest
from reading_figures import assert_readable

from depthjax import figures
from depthjax.figures.text import averages, counted

# What other tests left open may be collected at any time, and is no figure's.
pytestmark = pytest.mark.filterwarnings("error", "ignore::ResourceWarning")

NETWORKS = ["untrained", "photos", "noise"]


def table(layers: int = 5) -> np.ndarray:
    middle = 10 ** np.random.default_rng(0).uniform(-3, 1, (3, layers))
    return np.stack([middle, 0.8 * middle, 1.3 * middle], axis=-1)


def layer_names(layers: int = 5) -> list[str]:
    return [f"layer{i}" for i in range(layers)]


@pytest.mark.parametrize("layers", [1, 5, 12])
def test_every_network_in_every_panel(layers: int) -> None:
    values = table(layers)
    panels = {"ρ": values, "SSIM": values}
    figure = figures.networks_against_depth(
        NETWORKS, layer_names(layers), panels, logarithmic=["ρ"], note="n = 3", title="title"
    )
    above, below = figure.axes
    assert (above.get_yscale(), below.get_yscale()) == ("log", "linear")
    for axes, name in ((above, "ρ"), (below, "SSIM")):
        assert axes.get_ylabel() == name
        lines = [line for line in axes.lines if line.get_label() in NETWORKS]
        for index, line in enumerate(lines):
            np.testing.assert_allclose(line.get_ydata(), values[index, :, 0])
        assert len(lines) == 3 and len({line.get_color() for line in lines}) == 3
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == NETWORKS
    assert_readable(figure)


def test_what_is_not_there_is_not_drawn(tmp_path) -> None:
    values = table()
    values[0, 2] = np.nan
    values[1] = np.nan
    figure = figures.networks_against_depth(
        NETWORKS, layer_names(), {"ρ": values, "SSIM": values}, logarithmic=["ρ"]
    )
    for axes in figure.axes:
        drawn = [np.isfinite(line.get_ydata()).sum() for line in axes.lines]
        assert drawn == [4, 0, 5]
    png, _ = figures.save_figure(tmp_path / "networks", figure)
    assert png.stat().st_size > 5000


@pytest.mark.parametrize(
    ("panels", "message"),
    [
        ({}, "at least one panel"),
        ({"ρ": np.ones((3, 4, 3))}, r"ρ must have shape \(3, 5, 3\), got \(3, 4, 3\)"),
        ({"ρ": np.ones((3, 5))}, r"got \(3, 5\)"),
    ],
)
def test_panels_that_do_not_fit(panels: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        figures.networks_against_depth(NETWORKS, layer_names(), panels)


def test_intervals_are_announced_where_there_is_one() -> None:
    means = table()
    alone = np.where(np.arange(3) > 0, np.nan, means)
    assert averages([means, alone], "n = 3") == "means and 95 % intervals, n = 3"
    assert averages([alone], "n = 2") == "means; too few for intervals (3 are needed), n = 2"
    assert [counted(number, "seed") for number in (0, 1, 2)] == ["0 seeds", "1 seed", "2 seeds"]
