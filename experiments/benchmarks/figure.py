"""The measurements as one figure: a panel for each question that was measured."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from depthjax.figures.panels import NOISY_COPY, settle
from depthjax.figures.scale import log_scale
from depthjax.figures.style import (
    AMBER,
    BLUE,
    DARK,
    GREEN,
    GREY,
    ORANGE,
    PALE,
    PURPLE,
    SKY,
    SMALL,
    styled,
)

from .contenders import CONTENDERS
from .quantities import images_per_second, ratios, seconds_until

_COLOURS = {
    "loop": BLUE,
    "bare": GREY,
    "author": AMBER,
    "tuned": ORANGE,
    "compiled": PURPLE,
    "metamer": GREEN,
}
_PRESET_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY)
_COLUMNS = 3
_PANEL = 2.5, 2.25
"""Width and height of a panel, in inches."""
_LONG = 20
"""Letters of a label that is wider than its half of a panel."""
Panel = Callable[[Axes], None]


def draw(results: dict[str, Any]) -> Figure:
    """A figure of what there is in `benchmark.json`.

    Dots are medians of the rounds, bars reach from the fastest to the slowest round.

    Raises:
        ValueError: if nothing of it can be drawn.
    """
    panels = panels_of(results)
    if not panels:
        raise ValueError("nothing to draw: the parts a, b, c, d were not measured")
    columns = min(_COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    with styled():
        size = _PANEL[0] * columns, _PANEL[1] * rows
        figure = Figure(figsize=size, layout="constrained")
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, panel in zip(grid, panels, strict=False):
            panel(axes)
        for axes in grid[len(panels) :]:
            axes.set_axis_off()
        _contender_key(figure, grid)
        settle(figure)
        return figure


def panels_of(results: dict[str, Any]) -> list[Panel]:
    """What draws each panel that there are measurements for."""
    return [*_race_panels(results), *_curve_panels(results), *_preset_panels(results)]


def _race_panels(results: dict[str, Any]) -> list[Panel]:
    races = results.get("races", [])
    if not races:
        return []
    batches = sorted({race["batch"] for race in races})
    panels: list[Panel] = []
    for batch in batches:
        here = [race for race in races if race["batch"] == batch]
        if "b" in results["settings"]["parts"]:
            panels.append(lambda axes, here=here, batch=batch: _throughput(axes, here, batch))
    if "a" in results["settings"]["parts"]:
        panels.append(lambda axes: _overhead(axes, races, batches))
    return panels


def _throughput(axes: Axes, races: Sequence[dict[str, Any]], batch: int) -> None:
    names = [n for n in CONTENDERS if any(images_per_second(race, n).size for race in races)]
    for name in names:
        _dots(
            axes,
            [images_per_second(race, name) for race in races],
            CONTENDERS[name].title,
            _COLOURS[name],
        )
    _layers(axes, [race["layer"] for race in races])
    every = [images_per_second(race, name) for race in races for name in names]
    log_scale(axes, "y", np.concatenate(every))
    axes.set_ylabel("images · steps a second")
    _title(axes, f"batch {batch}: more is better")


def _contender_key(figure: Figure, grid: Sequence[Axes]) -> None:
    """One legend for all panels of contenders, above the figure."""
    titles = [entry.title for entry in CONTENDERS.values()]
    drawn = {
        label: handle
        for axes in grid
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
        if label in titles
    }
    if drawn:
        columns = 2 * round(figure.get_figwidth() / _PANEL[0])
        figure.legend(drawn.values(), drawn, loc="outside upper left", ncols=columns)


def _overhead(axes: Axes, races: Sequence[dict[str, Any]], batches: Sequence[int]) -> None:
    layers = list(dict.fromkeys(race["layer"] for race in races))
    for batch, colour in zip(batches, _PRESET_COLOURS * len(batches), strict=False):
        values = [
            next(
                (ratios(r, "loop", "bare") for r in races if (r["layer"], r["batch"]) == at),
                np.empty(0),
            )
            for at in ((layer, batch) for layer in layers)
        ]
        # Side by side: they may be the same.
        across = np.arange(len(layers)) + 0.1 * (batches.index(batch) - (len(batches) - 1) / 2)
        _dots(axes, values, f"batch {batch}", colour, across)
    axes.axhline(1.0, **NOISY_COPY)
    _layers(axes, layers)
    axes.set_ylabel("step ÷ bare gradient")
    axes.margins(y=0.2)
    low, high = axes.get_ylim()
    axes.set_yticks([tick for tick in axes.get_yticks() if low <= tick <= high])
    _title(axes, "what a step costs beside its gradient")
    _key_below(axes)


def _curve_panels(results: dict[str, Any]) -> list[Panel]:
    return [
        lambda axes, name=name, points=points: _cost(axes, name, points)
        for name, points in results.get("curves", {}).items()
        if points
    ]


def _cost(axes: Axes, name: str, points: Sequence[dict[str, Any]]) -> None:
    seconds = [1e3 * np.asarray(point["seconds"]) for point in points]
    values = [point[name] for point in points]
    line = np.empty(0)
    if name == "layer":
        _dots(axes, seconds, "", BLUE)
        _layers(axes, values)
    else:
        _dots(axes, seconds, "", BLUE, across=values)
        # Where the cost is proportional to the work, the points lie along this line.
        work = np.asarray(values, float) ** (2 if name == "size" else 1)
        line = np.median(seconds[-1]) * work / work[-1]
        axes.plot(values, line, **NOISY_COPY)
        axes.annotate(
            "proportional", (values[0], line[0]), xytext=(4, -3), textcoords="offset points",
            color=GREY, fontsize=SMALL, va="top",
        )  # fmt: skip
        log_scale(axes, "x", np.asarray(values, float), margin=1.15)
        axes.set_xlabel({"size": "height and width in pixels"}.get(name, name))
    log_scale(axes, "y", *seconds, line)
    axes.set_ylabel("ms a step")
    _title(axes, f"cost against {'depth' if name == 'layer' else name}")


def _preset_panels(results: dict[str, Any]) -> list[Panel]:
    descents = results.get("presets", [])
    reached = [seconds_until(descent, 1.0) for descent in descents]
    if not any(reached):
        return []
    return [lambda axes: _waiting(axes, descents)]


def _waiting(axes: Axes, descents: Sequence[dict[str, Any]]) -> None:
    layers = list(dict.fromkeys(descent["layer"] for descent in descents))
    presets = list(dict.fromkeys(descent["preset"] for descent in descents))
    shown = []
    for index, (preset, colour) in enumerate(
        zip(presets, _PRESET_COLOURS * len(presets), strict=False)
    ):
        for level, marker, fill in ((1.0, "o", colour), (0.1, "s", "white")):
            until = {d["layer"]: seconds_until(d, level) for d in descents if d["preset"] == preset}
            up = np.array([until.get(at) for at in layers], float)  # None becomes NaN: a gap
            if np.isfinite(up).any():
                # Side by side: presets may take the same time.
                across = np.arange(len(layers)) + 0.12 * (index - (len(presets) - 1) / 2)
                axes.plot(
                    across, up, color=colour, marker=marker, markerfacecolor=fill, markersize=3.5,
                    linewidth=0.9, label=f"{preset}, ρ ≤ {level:g}",
                )  # fmt: skip
                shown += [*up[np.isfinite(up)]]
    _layers(axes, layers)
    log_scale(axes, "y", np.asarray(shown))
    axes.set_ylabel("seconds until all are near")
    _title(axes, "no mark: never")
    _key_below(axes)


def _key_below(axes: Axes) -> None:
    """A legend that covers no line: under the labels of the layers, or if long under everything."""
    handles, labels = axes.get_legend_handles_labels()
    if max(map(len, labels)) > _LONG:
        axes.get_figure(root=True).legend(handles, labels, loc="outside lower left", ncols=2)
    else:
        axes.legend(loc="upper left", bbox_to_anchor=(-0.1, -0.12), ncols=2, handlelength=1.4)


def _dots(
    axes: Axes,
    values: Sequence[np.ndarray],
    label: str,
    colour: str,
    across: Sequence[float] | None = None,
) -> None:
    """Medians joined by a line, and a bar from the least to the greatest."""
    places = range(len(values)) if across is None else across
    given = [(x, v) for x, v in zip(places, values, strict=True) if v.size]
    if not given:
        return
    x = [place for place, _ in given]
    middle = np.array([np.median(v) for _, v in given])
    ends = np.array([[np.median(v) - v.min(), v.max() - np.median(v)] for _, v in given]).T
    axes.errorbar(
        x, middle, yerr=ends, color=colour, marker="o", markersize=3, linewidth=1.1,
        elinewidth=0.8, capsize=1.5, label=label or None,
    )  # fmt: skip


def _layers(axes: Axes, layers: Sequence[str]) -> None:
    turned = len(layers) > 5 or max(map(len, layers)) > 7
    axes.set_xticks(range(len(layers)), layers, rotation=90 if turned else 0, parse_math=False)
    axes.set_xlim(-0.5, len(layers) - 0.5)
    axes.grid(axis="x", color=PALE, linewidth=0.4)
    axes.set_axisbelow(True)


def _title(axes: Axes, text: str) -> None:
    axes.set_title(text, loc="left", color=DARK)
