"""The figure of several networks: what it draws, what it leaves out, what it refuses."""

import numpy as np
import pytest
from reading_figures import assert_readable, everything_said

from depthjax import figures
from depthjax.figures.text import averages, counted
from depthjax.report.charts import as_svg
from depthjax.report.contents import Chart, Series

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


def test_many_panels_stand_in_two_columns() -> None:
    panels = {f"quantity {index}": table(2) for index in range(7)}
    figure = figures.networks_against_depth(NETWORKS, layer_names(2), panels, note="n = 3")
    assert_readable(figure)
    shown = [axes for axes in figure.axes if axes.axison]
    assert sorted(axes.get_ylabel() for axes in shown) == sorted(panels)
    lefts = {round(axes.get_position().x0, 2) for axes in shown}
    assert len(lefts) == 2
    width, height = figure.get_size_inches()
    assert width > height


def test_a_network_has_one_colour_whatever_stands_beside_it() -> None:
    def colours(*names: str) -> list[str]:
        panels = {"ρ": table(2)[: len(names)]}
        axes = figures.networks_against_depth(list(names), layer_names(2), panels).axes[0]
        return [line.get_color() for line in axes.lines if line.get_label() in names]

    untrained, photos = colours("untrained", "photos")
    assert colours("photos", "untrained") == [photos, untrained]
    assert colours("photos") == [photos]
    mine, other, _ = colours("mine", "untrained", "photos")
    assert other == untrained and mine not in (untrained, photos)
    charts = [
        Chart("t", "layer", "D", [Series(name, [0, 1], [1, 2]) for name in names], ticks=("a", "b"))
        for names in (["untrained", "photos"], ["photos"])
    ]
    two, one = (as_svg(chart, "x") for chart in charts)
    assert "s1 line" in one and "s0 line" not in one and "s0 line" in two


def test_what_is_recovered_exactly_is_drawn_at_the_edge_where_asked() -> None:
    values = table(2)[:1]
    values[0] = [[1e-9, 1e-10, 1e-8], [1.0, 0.5, 2.0]]
    panels = {"D": values, "κ": values}
    figure = figures.networks_against_depth(
        ["a"], layer_names(2), panels, logarithmic=list(panels), at_edge=["D"], note="n = 3"
    )
    clipped, whole = ([line.get_ydata() for line in axes.lines] for axes in figure.axes)
    np.testing.assert_allclose(clipped[0], [2e-4, 1.0])
    np.testing.assert_allclose(whole[0], [1e-9, 1.0])
    assert "lowest points: as low or lower" in everything_said(figure)
