"""Charts as SVG, drawn for a page: large letters, few marks, colours that the page can change.

The figures of `depthjax.figures` are for paper. These charts are read on screens, on a phone's too,
in light and in dark.
"""

import csv
import io
import math
from collections.abc import Iterator

from markupsafe import Markup, escape

from depthjax.figures.style import BLUE, DARK, GREY, PALE, network_places
from depthjax.figures.text import short_number
from depthjax.report.axis import extended, is_known, known, limits, position, tick_label, ticks
from depthjax.report.contents import Chart, Real, Series
from depthjax.report.svg import (
    LETTER,
    colour,
    dash_attribute,
    legend_entry,
    legend_entry_width,
    legend_rows,
    marker,
    shortened,
    text,
)

_WIDTH, _HEIGHT = 390, 284
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 14, 12, 46
_NAMES = 112  # pixels at the right for the names of lines drawn across
_DECADES = 4.0  # of a logarithmic axis at most; a value below is drawn at the lower edge
_MOST_MARKED = 24  # points of a line with markers


def as_csv(chart: Chart) -> str:
    """The numbers of a chart as CSV: a row for each point, and for each line drawn across."""
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow(["series", chart.x_label, chart.y_label, "low", "high"])
    for series in chart.series:
        for x, y, low, high in _points(series):
            where = chart.ticks[int(x)] if chart.ticks else f"{x:.6g}"
            numbers = ["" if math.isnan(value) else f"{value:.6g}" for value in (y, low, high)]
            writer.writerow([series.name or series.of, where, *numbers])
    for name, value in chart.marks.items():
        writer.writerow([name, "", f"{value:.6g}", "", ""])
    return content.getvalue()


def in_words(chart: Chart) -> str:
    """A chart in words, for those who do not see it: the first and last value of each line."""
    lines = []
    for series in chart.series:
        if series.thin:
            continue
        points = [(x, y) for x, y in zip(series.x, series.y, strict=True) if math.isfinite(y)]
        if points:
            first, last = (
                f"{short_number(y)} at {chart.ticks[int(x)] if chart.ticks else short_number(x)}"
                for x, y in (points[0], points[-1])
            )
            lines.append(f"{series.name}: {first} to {last}")
    marks = [f"{name} {short_number(value)}" for name, value in chart.marks.items()]
    lines += [f"drawn across: {', '.join(marks)}"] if marks else []
    return f"{chart.y_label} against {chart.x_label}. " + "; ".join(lines) + "."


def as_svg(chart: Chart, identifier: str) -> Markup:
    """A chart as SVG that can be used without the page.

    Args:
        chart: what to draw.
        identifier: unique on the page.
    """
    named = [series for series in chart.series if not series.thin]
    legend = legend_rows([series.name for series in named], _WIDTH - _LEFT)
    frame = _Frame(chart, _TOP + 18 * len(legend))
    parts = [*frame.axes(), *frame.marks()]
    places = network_places([series.name for series in named])
    order = {series.name: index for index, series in enumerate(named)}
    count = len(named)
    for series in sorted(chart.series, key=lambda series: not series.thin):
        index = order.get(series.of if series.thin else series.name, 0)
        # Intervals of several lines at one layer stand beside each other.
        shift = (index - (count - 1) / 2) * min(5, 24 / max(count, 1))
        parts += frame.line(series, places[index] if places else 0, shift)
    for row, entries in enumerate(legend):
        x = float(_LEFT)
        for index, name in entries:
            parts += legend_entry(x, _TOP + 6 + 18 * row, places[index], name, frame.marked)
            x += legend_entry_width(name)
    title, description = f"{identifier}-title", f"{identifier}-text"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {frame.height}"'
        f' role="img" aria-labelledby="{title} {description}" class="chart"'
        ' font-family="system-ui, Helvetica, Arial, sans-serif" font-size="12">'
        f'<title id="{title}">{escape(chart.title)}</title>'
        f'<desc id="{description}">{escape(in_words(chart))}</desc>'
    )
    return Markup(head + "".join(parts) + "</svg>")


class _Frame:
    """The panel of a chart: where numbers lie in it, and the SVG of axes, marks and lines.

    Args:
        chart: what is drawn.
        top: the upper edge of the panel, in pixels; the legend lies above.
    """

    def __init__(self, chart: Chart, top: int) -> None:
        self.chart, self.top = chart, top
        self.alone = sum(not series.thin for series in chart.series) == 1
        self.marked = has_markers(chart)
        self.right = _WIDTH - (_NAMES if chart.marks else _RIGHT)
        widest = max((len(shortened(tick)) for tick in chart.ticks), default=0)
        room = (self.right - _LEFT) / max(len(chart.ticks), 1)
        self.turned = widest * LETTER > room - 4
        self.height = top + _HEIGHT + (int(0.72 * widest * LETTER) - 8 if self.turned else 0)
        self.bottom = top + _HEIGHT - _BOTTOM
        self.xs, self.ys = self._limits_of_x(), self._limits_of_y()

    def _limits_of_x(self) -> tuple[float, float]:
        if self.chart.ticks:
            return -0.5, len(self.chart.ticks) - 0.5
        values = [x for series in self.chart.series for x in series.x]
        return limits(known(values, self.chart.log_x), self.chart.log_x, 0.02)

    def _limits_of_y(self) -> tuple[float, float]:
        logarithmic = self.chart.log_y
        values = [y for series in self.chart.series for y in series.y]
        ys = known([*values, *self.chart.marks.values()], logarithmic)
        ends = known(_interval_ends(self.chart), logarithmic)
        if logarithmic and ys:
            ys = [max(y, max(ys) / 10**_DECADES) for y in ys]
        return limits(extended(ys, ends, logarithmic), logarithmic, 0.06)

    def x(self, value: Real) -> float:
        share = position(value, self.xs, self.chart.log_x)
        share = 1 - share if self.chart.reversed_x else share
        return _LEFT + share * (self.right - _LEFT)

    def y(self, value: Real) -> float:
        share = min(max(position(value, self.ys, self.chart.log_y), 0.0), 1.0)
        return float(self.bottom - share * (self.bottom - self.top))

    def axes(self) -> Iterator[str]:
        """Grid, numbers or names along the axes, and what the axes are."""
        right = self.right
        for value in ticks(self.ys, self.chart.log_y):
            y = f"{self.y(value):.1f}"
            yield f'<path class="grid" stroke="{PALE}" d="M{_LEFT} {y}H{right}"/>'
            yield text(_LEFT - 6, float(y) + 4, tick_label(value), "end")
        if self.chart.ticks:
            for index, name in enumerate(self.chart.ticks):
                yield self._layer_name(self.x(index), name)
        else:
            for value in ticks(self.xs, self.chart.log_x):
                x = f"{self.x(value):.1f}"
                yield f'<path class="grid" stroke="{PALE}" d="M{x} {self.top}V{self.bottom}"/>'
                yield text(float(x), self.bottom + 17, tick_label(value), "middle")
        yield text((_LEFT + right) / 2, self.height - 8, self.chart.x_label, "middle", "label")
        middle = (self.top + self.bottom) / 2
        yield (
            f'<text class="label" fill="{DARK}" text-anchor="middle"'
            f' transform="translate(12 {middle:.0f}) rotate(-90)">'
            f"{escape(self.chart.y_label)}</text>"
        )

    def _layer_name(self, x: Real, name: str) -> str:
        y = self.bottom + 16
        if not self.turned:
            return text(x, y, shortened(name), "middle")
        return (
            f'<text fill="{DARK}" text-anchor="end"'
            f' transform="translate({x + 4:.1f} {y - 4}) rotate(-45)">'
            f"{escape(shortened(name))}</text>"
        )

    def marks(self) -> Iterator[str]:
        """Lines drawn across, with their names beside the panel, where nothing crosses them."""
        marks = self.chart.marks.items()
        shown = [(value, name) for name, value in marks if is_known(value, self.chart.log_y)]
        last = -math.inf
        for value, name in sorted(shown, reverse=True):
            y = self.y(value)
            yield (
                f'<path class="mark" stroke="{GREY}" stroke-width="1.2" stroke-dasharray="4 3"'
                f' d="M{_LEFT} {y:.1f}H{self.right}"/>'
            )
            words = f"{name} {short_number(value)}"
            last = max(y + 4, last + 13)
            yield text(self.right + 4, last, words, "start", "mark-name", GREY, 11)

    def line(self, series: Series, index: int, shift: Real) -> Iterator[str]:
        """A line; above it its intervals and its markers.

        Args:
            series: the line.
            index: among the lines that are not thin; it decides the colour.
            shift: pixels to the right, if the line has intervals at named places.
        """
        shift = shift if self.chart.ticks and series.low else 0.0
        strokes: list[list[str]] = [[]]
        above: list[str] = []
        for x, y, low, high in _points(series):
            if not is_known(y, self.chart.log_y) or not is_known(x, self.chart.log_x):
                strokes.append([])
                continue
            across = self.x(x) + shift
            strokes[-1].append(f"{across:.1f} {self.y(y):.1f}")
            words = f"{series.name or series.of}, {self._place(x)}: {short_number(y)}"
            if is_known(high, self.chart.log_y):
                above.append(self._interval(across, low, high, index))
                words += f" [{short_number(low)}, {short_number(high)}]"
            if y < self.ys[0] and not series.thin and self.alone:
                below = f"{short_number(y)} ↓"
                above.append(text(across + 9, self.bottom - 2, below, "start", size=11))
            if not series.thin and self.marked:
                above.append(marker(across, self.y(y), index, words))
        path = "".join("M" + "L".join(stroke) for stroke in strokes if stroke)
        if path:
            yield self._stroke(path, series, index)
        yield from above

    def _place(self, x: Real) -> str:
        """`layer3`, or `step 100`."""
        if self.chart.ticks:
            return self.chart.ticks[int(x)]
        return f"{self.chart.x_label} {short_number(x)}"

    def _interval(self, across: float, low: Real, high: Real, index: int) -> str:
        paint, shade = colour(index)
        end = self.y(low) if is_known(low, self.chart.log_y) else float(self.bottom)
        return (
            f'<path class="{shade} line" stroke="{paint}" stroke-width="1.4"'
            f' d="M{across:.1f} {end:.1f}V{self.y(high):.1f}"/>'
        )

    def _stroke(self, path: str, series: Series, index: int) -> str:
        paint, shade = colour(index)
        width, faint = ("0.8", ' opacity="0.45"') if series.thin else ("1.9", "")
        return (
            f'<path class="{shade} line" fill="none" stroke="{paint}" stroke-width="{width}"'
            f'{faint} stroke-linejoin="round"{dash_attribute(index, self.marked)}'
            f' d="{path}"><title>{escape(series.name or series.of)}</title></path>'
        )


def has_markers(chart: Chart) -> bool:
    """Whether lines have a marker at each point: only lines of few points have."""
    return max((len(series.x) for series in chart.series), default=0) <= _MOST_MARKED


def beyond_the_axis(chart: Chart) -> bool:
    """Whether a point or an end of an interval lies outside the axis and is cut off."""
    low, high = _Frame(chart, 0).ys
    values = [y for series in chart.series for y in series.y] + _interval_ends(chart)
    return any(not low <= value <= high for value in known(values, chart.log_y))


def _points(series: Series) -> Iterator[tuple[Real, Real, Real, Real]]:
    """x, y, low and high of each point; low and high are NaN where there is no interval."""
    nothing = [math.nan] * len(series.x)
    yield from zip(series.x, series.y, series.low or nothing, series.high or nothing, strict=True)


def _interval_ends(chart: Chart) -> list[Real]:
    return [end for series in chart.series for end in (*(series.low or ()), *(series.high or ()))]


def interval_svg(
    estimate: Real, low: Real, high: Real, bound: Real, limits: tuple[Real, Real], kind: str
) -> Markup:
    """An interval and the bound that it is judged by, as a strip for a cell of a table.

    Args:
        estimate, low, high: the interval; nothing is drawn unless all are finite.
        bound: of the rule.
        limits: ends of the strip.
        kind: a class name for its colour.
    """
    if not all(map(math.isfinite, (estimate, low, high))):
        return Markup("")

    def at(value: Real) -> float:
        return 3 + 114 * min(max(position(value, limits, logarithmic=False), 0), 1)

    return Markup(
        '<svg class="strip" viewBox="0 0 120 16" width="120" height="16" aria-hidden="true">'
        f'<path class="bound" stroke="{GREY}" d="M{at(bound):.1f} 0V16"/>'
        f'<path class="{kind}" stroke="{BLUE}" stroke-width="2"'
        f' d="M{at(low):.1f} 8H{at(high):.1f}"/>'
        f'<circle class="{kind}" fill="{BLUE}" cx="{at(estimate):.1f}" cy="8" r="3.2"/></svg>'
    )
