"""Charts as SVG, as CSV and as JSON."""

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from report_folders import (
    EVIL,
)

from depthjax.report import charts
from depthjax.report.contents import (
    Chart,
    Series,
)

CHART = Chart(
    "Distance <b>",
    "layer",
    "input ratio D",
    [
        Series("untrained", [0, 1, 2], [1e-7, 2, 4], [1e-8, 1, 3], [1e-6, 3, 5]),
        Series("photos & more", [0, 1, 2], [1, float("nan"), 3]),
        Series("", [0, 1, 2], [1, 2, 3], thin=True, of="untrained"),
    ],
    ticks=["conv1", "layer1", EVIL],
    log_y=True,
    marks={"noisy copy": 1.0, "start": 7.0},
)


def test_charts_are_svg_that_stands_for_itself() -> None:
    svg = charts.as_svg(CHART, "c")
    root = ElementTree.fromstring(str(svg))  # well-formed, whatever the names
    assert root.tag.endswith("svg") and "viewBox" in root.attrib
    texts = [element.text for element in root.iter() if element.tag.endswith("text")]
    assert {"untrained", "photos & more", "start 7", "noisy copy 1"} <= set(texts)
    assert "nan" not in str(svg) and "inf" not in str(svg)
    for path in root.iter("{http://www.w3.org/2000/svg}path"):
        assert "stroke" in path.attrib or "fill" in path.attrib  # coloured without the page
    assert "untrained: 1e-7 at conv1 to 4 at" in charts.in_words(CHART)
    assert charts.beyond_the_axis(CHART)


def test_no_line_crosses_the_name_of_what_is_drawn_across() -> None:
    for marks in ({"noisy copy": 1.0}, {"noisy copy": 1.0, "start": 7.0}):
        root = ElementTree.fromstring(str(charts.as_svg(replace(CHART, marks=marks), "c")))
        texts = {one.text: float(one.get("x", "nan")) for one in root.iter() if one.text}
        drawn = [one.get("d", "") for one in root.iter() if "line" in one.get("class", "")]
        ends = [float(x) for path in drawn for x in re.findall(r"[ML](-?[\d.]+) ", path)]
        assert texts["noisy copy 1"] > max(ends)


def test_chart_data_is_what_is_drawn() -> None:
    lines = charts.as_csv(CHART).splitlines()
    assert lines[0] == "series,layer,input ratio D,low,high"
    assert lines[1] == "untrained,conv1,1e-07,1e-08,1e-06"
    assert lines[5] == "photos & more,layer1,,,"
    assert lines[-1] == "start,,7,,"
    assert len(lines) == 1 + 9 + 2


@given(
    values=st.lists(
        st.floats(allow_nan=True, allow_infinity=True, width=32), min_size=1, max_size=6
    ),
    logarithmic=st.booleans(),
)
def test_any_numbers_can_be_drawn(values: list[float], logarithmic: bool) -> None:
    places = list(map(float, range(len(values))))
    lines = [Series("one", places, values, values, values)]
    names = [f"layer{n}" for n in range(len(values))]
    for ticks in (names, ()):
        chart = Chart(
            "any", "x", "y", lines, ticks=ticks, log_y=logarithmic, marks={"m": values[0]}
        )
        ElementTree.fromstring(str(charts.as_svg(chart, "any")))
        assert "nan" not in re.sub(r"<(title|desc).*?</\1>", "", str(charts.as_svg(chart, "any")))
