"""Charts as SVG, drawn for a page: large letters, few marks, colours that the page can change.

The figures of `depthjax.figures` are for paper. These are read on screens from a phone's width on,
in the dark too: colours stand in the file for itself and are overruled by the page's style.
"""

import csv
import io
import math
from collections.abc import Iterator, Sequence

import numpy as np
from markupsafe import Markup, escape

from depthjax.figures.style import AMBER, BLUE, DARK, GREEN, GREY, ORANGE, PALE, PURPLE, SKY
from depthjax.figures.text import short_number
from depthjax.report.contents import Chart, Real, Series

PALETTE = (BLUE, ORANGE, GREEN, PURPLE, AMBER, SKY)
_WIDTH, _HEIGHT = 390, 284
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 14, 12, 46
_NAMES = 112  # room for the names of what is drawn across
_DECADES = 4.0  # on a logarithmic axis; what lies lower is drawn at its edge
_LETTER = 6.4  # of 12 px, on average
_DASHES = ("", "7 3", "2 3", "9 3 2 3")


def as_csv(chart: Chart) -> str:
    """The numbers of a chart: a row a point."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["series", chart.x_label, chart.y_label, "low", "high"])
    for one in chart.series:
        nothing = [math.nan] * len(one.x)
        for x, y, low, high in zip(
            one.x, one.y, one.low or nothing, one.high or nothing, strict=True
        ):
            where = chart.ticks[int(x)] if chart.ticks else f"{x:.6g}"
            ends = ["" if math.isnan(end) else f"{end:.6g}" for end in (low, high)]
            name = one.name or one.of
            writer.writerow([name, where, "" if math.isnan(y) else f"{y:.6g}", *ends])
    for name, value in chart.marks.items():
        writer.writerow([name, "", f"{value:.6g}", "", ""])
    return text.getvalue()


def in_words(chart: Chart) -> str:
    """A chart in words, for those who do not see it: from where to where every line goes."""
    lines = []
    for one in chart.series:
        if one.thin:
            continue
        known = [(x, y) for x, y in zip(one.x, one.y, strict=True) if math.isfinite(y)]
        if known:
            (x, y), (last_x, last_y) = known[0], known[-1]
            ends = [chart.ticks[int(at)] if chart.ticks else short_number(at) for at in (x, last_x)]
            lines.append(
                f"{one.name}: {short_number(y)} at {ends[0]} to {short_number(last_y)} at {ends[1]}"
            )
    marks = [f"{name} {short_number(value)}" for name, value in chart.marks.items()]
    lines += [f"drawn across: {', '.join(marks)}"] if marks else []
    return f"{chart.y_label} against {chart.x_label}. " + "; ".join(lines) + "."


def as_svg(chart: Chart, identifier: str) -> Markup:
    """A chart as SVG that stands for itself.

    Args:
        chart: what to draw.
        identifier: unique on the page.
    """
    named = [one for one in chart.series if not one.thin]
    legend = _legend_rows([one.name for one in named])
    top = _TOP + 18 * len(legend)
    frame = _Frame(chart, top)
    parts: list[str] = [*frame.axes()]
    parts += frame.marks()
    order = {one.name: index for index, one in enumerate(named)}
    width = len(named)
    for one in sorted(chart.series, key=lambda one: not one.thin):
        index = order.get(one.of if one.thin else one.name, 0)
        parts += frame.line(one, index, (index - (width - 1) / 2) * min(5, 24 / max(width, 1)))
    for row, entries in enumerate(legend):
        x = float(_LEFT)
        for index, name in entries:
            parts += _legend_entry(x, _TOP + 6 + 18 * row, index, name, frame.marked)
            x += 36 + _LETTER * len(_short(name))
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
    """Where numbers come to lie, and the marks made there."""

    def __init__(self, chart: Chart, top: int) -> None:
        self.chart, self.top = chart, top
        named = [one for one in chart.series if not one.thin]
        self.alone = len(named) == 1
        self.marked = has_markers(chart)
        self.right = _WIDTH - (_NAMES if len(chart.marks) > 1 else _RIGHT)
        widest = max((len(_short(tick)) for tick in chart.ticks), default=0)
        room = (self.right - _LEFT) / max(len(chart.ticks), 1)
        self.turned = widest * _LETTER > room - 4
        self.height = top + _HEIGHT + (int(0.72 * widest * _LETTER) - 8 if self.turned else 0)
        self.bottom = top + _HEIGHT - _BOTTOM
        xs = _known([x for one in chart.series for x in one.x], chart.log_x)
        ys = _known([y for one in chart.series for y in one.y], chart.log_y)
        ys += _known(list(chart.marks.values()), chart.log_y)
        ends = _known(
            [end for one in chart.series for end in (*(one.low or ()), *(one.high or ()))],
            chart.log_y,
        )
        count = len(chart.ticks)
        self.xs = (-0.5, count - 0.5) if count else _limits(xs, chart.log_x, 0.02)
        if chart.log_y and ys:
            ys = [max(y, max(ys) / 10**_DECADES) for y in ys]
        self.ys = _limits(_with_intervals(ys, ends, chart.log_y), chart.log_y, 0.06)

    def x(self, value: Real) -> float:
        share = _share(value, self.xs, self.chart.log_x)
        share = 1 - share if self.chart.reversed_x else share
        return _LEFT + share * (self.right - _LEFT)

    def y(self, value: Real) -> float:
        share = min(max(_share(value, self.ys, self.chart.log_y), 0.0), 1.0)
        return float(self.bottom - share * (self.bottom - self.top))

    def axes(self) -> Iterator[str]:
        right = self.right
        for value in _ticks(self.ys, self.chart.log_y):
            y = f"{self.y(value):.1f}"
            yield f'<path class="grid" stroke="{PALE}" d="M{_LEFT} {y}H{right}"/>'
            yield _text(_LEFT - 6, float(y) + 4, _tick_name(value), "end")
        if self.chart.ticks:
            for index, name in enumerate(self.chart.ticks):
                yield from self._layer_name(self.x(index), name)
        else:
            for value in _ticks(self.xs, self.chart.log_x):
                x = f"{self.x(value):.1f}"
                yield f'<path class="grid" stroke="{PALE}" d="M{x} {self.top}V{self.bottom}"/>'
                yield _text(float(x), self.bottom + 17, _tick_name(value), "middle")
        middle = (_LEFT + right) / 2
        yield _text(middle, self.height - 8, self.chart.x_label, "middle", "label")
        across = (self.top + self.bottom) / 2
        label = escape(self.chart.y_label)
        yield (
            f'<text class="label" fill="{DARK}" text-anchor="middle"'
            f' transform="translate(12 {across:.0f}) rotate(-90)">{label}</text>'
        )

    def _layer_name(self, x: Real, name: str) -> Iterator[str]:
        y = self.bottom + 16
        if not self.turned:
            yield _text(x, y, _short(name), "middle")
            return
        yield (
            f'<text fill="{DARK}" text-anchor="end"'
            f' transform="translate({x + 4:.1f} {y - 4}) rotate(-45)">{escape(_short(name))}</text>'
        )

    def marks(self) -> Iterator[str]:
        """Lines across, their names beside them and never on one another."""
        known = sorted(
            ((value, name) for name, value in self.chart.marks.items()
             if _is_known(value, self.chart.log_y)),
            reverse=True,
        )  # fmt: skip
        last = -math.inf
        for value, name in known:
            y = self.y(value)
            yield (
                f'<path class="mark" stroke="{GREY}" stroke-width="1.2" stroke-dasharray="4 3"'
                f' d="M{_LEFT} {y:.1f}H{self.right}"/>'
            )
            words = f"{name} {short_number(value)}"
            if len(self.chart.marks) == 1:
                yield _text(self.right, y - 4, words, "end", "mark-name", GREY, 11)
                continue
            last = max(y + 4, last + 13)
            yield _text(self.right + 4, last, words, "start", "mark-name", GREY, 11)

    def line(self, one: Series, index: int, shift: Real) -> Iterator[str]:
        chart = self.chart
        shift = shift if chart.ticks and one.low else 0.0
        colour, shade = PALETTE[index % len(PALETTE)], f"s{index % len(PALETTE)}"
        lows = one.low or [math.nan] * len(one.x)
        highs = one.high or [math.nan] * len(one.x)
        strokes: list[list[str]] = [[]]
        marks: list[str] = []
        for x, y, low, high in zip(one.x, one.y, lows, highs, strict=True):
            if not _is_known(y, chart.log_y) or not _is_known(x, chart.log_x):
                strokes.append([])
                continue
            across, up = self.x(x) + shift, self.y(y)
            strokes[-1].append(f"{across:.1f} {up:.1f}")
            where = chart.ticks[int(x)] if chart.ticks else f"{chart.x_label} {short_number(x)}"
            words = f"{one.name or one.of}, {where}: {short_number(y)}"
            if _is_known(high, chart.log_y):
                ends = self.y(low) if _is_known(low, chart.log_y) else float(self.bottom)
                marks.append(
                    f'<path class="{shade} line" stroke="{colour}" stroke-width="1.4"'
                    f' d="M{across:.1f} {ends:.1f}V{self.y(high):.1f}"/>'
                )
                words += f" [{short_number(low)}, {short_number(high)}]"
            if y < self.ys[0] and not one.thin and self.alone:
                marks.append(
                    _text(across + 9, self.bottom - 2, f"{short_number(y)} ↓", "start", size=11)
                )
            if not one.thin and self.marked:
                marks.append(_marker(across, up, index, words))
        path = "".join("M" + "L".join(stroke) for stroke in strokes if stroke)
        if path:
            dash = _dash(index, self.marked)
            width, faint = ("0.8", ' opacity="0.45"') if one.thin else ("1.9", "")
            yield (
                f'<path class="{shade} line" fill="none" stroke="{colour}" stroke-width="{width}"'
                f'{faint} stroke-linejoin="round"'
                + (f' stroke-dasharray="{dash}"' if dash else "")
                + f' d="{path}"><title>{escape(one.name or one.of)}</title></path>'
            )
        yield from marks


def has_markers(chart: Chart) -> bool:
    """Lines of few points have marks on them; others are told apart by their dashes."""
    return max((len(one.x) for one in chart.series), default=0) <= 24


def beyond_the_axis(chart: Chart) -> bool:
    """Whether points or ends of intervals lie so far from the others that they are cut off."""
    low, high = _Frame(chart, 0).ys
    every = [
        value for one in chart.series for value in (*one.y, *(one.low or ()), *(one.high or ()))
    ]
    return any(not low <= value <= high for value in _known(every, chart.log_y))


def _dash(index: int, marked: bool) -> str:
    return _DASHES[(index // len(PALETTE) if marked else index) % len(_DASHES)]


def _marker(x: Real, y: Real, index: int, words: str = "") -> str:
    """A shape of its own for each of four lines, besides the colour."""
    colour, shade = PALETTE[index % len(PALETTE)], f"s{index % len(PALETTE)}"
    outline = (
        "M-3.4 0a3.4 3.4 0 1 0 6.8 0a3.4 3.4 0 1 0-6.8 0",
        "M-3-3h6v6h-6z",
        "M0-4.2L4 3H-4z",
        "M0-4.2L4.2 0L0 4.2L-4.2 0z",
    )[index % 4]
    title = f"<title>{escape(words)}</title>" if words else ""
    return (
        f'<path class="{shade} dot" fill="{colour}" transform="translate({x:.1f} {y:.1f})"'
        f' d="{outline}">{title}</path>'
    )


def _legend_rows(names: Sequence[str]) -> list[list[tuple[int, str]]]:
    rows: list[list[tuple[int, str]]] = []
    left = 0.0
    for index, name in enumerate(names):
        width = 36 + _LETTER * len(_short(name))
        if not rows or left + width > _WIDTH - _LEFT:
            rows.append([])
            left = 0.0
        rows[-1].append((index, name))
        left += width
    return rows


def _legend_entry(x: Real, y: Real, index: int, name: str, marked: bool) -> Iterator[str]:
    colour, shade = PALETTE[index % len(PALETTE)], f"s{index % len(PALETTE)}"
    dash = _dash(index, marked)
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    yield (
        f'<path class="{shade} line" stroke="{colour}" stroke-width="1.9"{dashes}'
        f' d="M{x:.0f} {y}h18"/>'
    )
    if marked:
        yield _marker(x + 9, y, index)
    yield _text(x + 23, y + 4, _short(name), "start")


def _text(
    x: Real,
    y: Real,
    words: str,
    anchor: str,
    kind: str = "tick",
    colour: str = DARK,
    size: int = 12,
) -> str:
    return (
        f'<text class="{kind}" fill="{colour}" font-size="{size}" text-anchor="{anchor}"'
        f' x="{x:.1f}" y="{y:.1f}">{escape(words)}</text>'
    )


def _short(name: str) -> str:
    return name if len(name) <= 26 else f"{name[:12]}…{name[-13:]}"


def _is_known(value: Real, logarithmic: bool) -> bool:
    return math.isfinite(value) and (value > 0 or not logarithmic)


def _known(values: Sequence[Real], logarithmic: bool) -> list[float]:
    return [float(value) for value in values if _is_known(value, logarithmic)]


def _with_intervals(values: list[float], ends: list[float], logarithmic: bool) -> list[float]:
    """The values, and the ends of intervals as far as these leave the values room."""
    if not values or not ends:
        return values
    low, high = min(values), max(values)
    if logarithmic:
        bounds = low / 10, high * 10
    else:
        bounds = low - 0.6 * (high - low), high + 0.6 * (high - low)
    return values + [min(max(end, bounds[0]), bounds[1]) for end in ends]


def _limits(values: Sequence[Real], logarithmic: bool, margin: float) -> tuple[float, float]:
    """A little more than the values take, and never nothing."""
    if not values:
        return (0.1, 10.0) if logarithmic else (0.0, 1.0)
    low, high = min(values), max(values)
    if logarithmic:
        low, high = math.log10(low), math.log10(high)
    room = max(high - low, 0.3 if logarithmic else 1e-9 + 0.1 * abs(high))
    middle = (low + high) / 2
    low, high = middle - room * (0.5 + margin), middle + room * (0.5 + margin)
    return (10**low, 10**high) if logarithmic else (low, high)


def _share(value: Real, limits: tuple[Real, Real], logarithmic: bool) -> float:
    low, high = limits
    if logarithmic:
        low, high, value = math.log10(low), math.log10(high), math.log10(value)
    return (value - low) / (high - low)


def _ticks(limits: tuple[Real, Real], logarithmic: bool) -> list[Real]:
    """Four to seven round numbers."""
    low, high = limits
    if not logarithmic:
        power = 10.0 ** math.floor(math.log10((high - low) / 5))
        step = next(
            part * power for part in (1, 2, 2.5, 5, 10) if (high - low) / (part * power) < 7
        )
        first = math.ceil(low / step)
        return [index * step for index in range(first, math.floor(high / step) + 1)]
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for parts in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7)):
        found = [
            part * 10.0**power
            for power in range(first, last + 1)
            for part in parts
            if low <= part * 10.0**power <= high
        ]
        if len(found) >= 3:
            break
    every = -(-len(found) // 7)
    return found[::every]


def _tick_name(value: Real) -> str:
    if value == 0 or 1e-3 <= abs(value) < 1e4:
        return f"{value:.4g}"
    mantissa, power = f"{value:.0e}".split("e")
    raised = str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"10{raised}" if mantissa == "1" else f"{mantissa}·10{raised}"


def interval_svg(
    estimate: Real, low: Real, high: Real, bound: Real, limits: tuple[Real, Real], kind: str
) -> Markup:
    """An interval and the bound it is judged by, as a strip for a table; numbers stand beside it.

    Args:
        estimate, low, high: the interval.
        bound: of the rule.
        limits: ends of the strip.
        kind: a class name for its colour.
    """
    if not all(np.isfinite((estimate, low, high))):
        return Markup("")

    def at(value: Real) -> float:
        share = (value - limits[0]) / (limits[1] - limits[0])
        return 3 + 114 * min(max(share, 0), 1)

    return Markup(
        '<svg class="strip" viewBox="0 0 120 16" width="120" height="16" aria-hidden="true">'
        f'<path class="bound" stroke="{GREY}" d="M{at(bound):.1f} 0V16"/>'
        f'<path class="{kind}" stroke="{BLUE}" stroke-width="2"'
        f' d="M{at(low):.1f} 8H{at(high):.1f}"/>'
        f'<circle class="{kind}" fill="{BLUE}" cx="{at(estimate):.1f}" cy="8" r="3.2"/></svg>'
    )
