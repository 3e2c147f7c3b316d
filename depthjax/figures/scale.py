"""Logarithmic axes with few labels and, where needed, a place for zero."""

from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

from depthjax.figures.text import short_number
from depthjax.figures.values import Numbers, is_drawable


def log_scale(
    axes: Axes, which: Literal["x", "y"], *values: Numbers | float, margin: float = 1.4
) -> None:
    """Makes an axis logarithmic, over a decade at least, for all values that can be drawn.

    Args:
        axes: the panel.
        which: of its axes.
        values: arrays or numbers that are shown.
        margin: factor between the outermost values and the ends of the axis.
    """
    every = np.concatenate([np.ravel(value) for value in values])
    shown = every[is_drawable(every)]
    positive = shown[shown > 0]
    low, high = (positive.min(), positive.max()) if positive.size else (1.0, 1.0)
    if high < 10 * low:
        middle = np.sqrt(low) * np.sqrt(high)
        low, high = middle / np.sqrt(10), middle * np.sqrt(10)
    # Over many decades such a factor is too small to see; then a thirtieth of the length is used.
    margin = max(margin, (high / low) ** (1 / 30))
    low, high = float(low / margin), float(high * margin)
    ticks, minor = log_ticks(low, high), _unlabelled_ticks(low, high)
    name, bottom, options = "log", low, dict[str, Any]()
    if positive.size < shown.size:
        # Zero lies below the least positive value, with room for half a marker beneath.
        name, bottom, options = "symlog", -0.25 * low, {"linthresh": low, "linscale": 0.5}
        ticks = [0.0, *ticks]
    if which == "x":
        axes.set_xscale(name, **options)
        axes.set_xlim(bottom, high)
    else:
        axes.set_yscale(name, **options)
        axes.set_ylim(bottom, high)
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(FixedLocator(minor))
    axis.set_major_formatter(FuncFormatter(_tick))
    axis.set_minor_formatter(NullFormatter())


DECADES = 4.0
"""Of an axis on which single values lie far below all others; these are drawn at its edge."""


def at_the_edge(values: Numbers, *others: Numbers | float) -> Numbers:
    """The values; those that lie `DECADES` below the largest of all are moved up to there.

    One layer that is recovered exactly would leave the others a tenth of the axis. Zeros stay,
    since they have a place of their own.

    Args:
        values: what is drawn.
        others: what stands on the same axis.
    """
    every = np.concatenate([np.ravel(value) for value in (values, *others)])
    known = every[is_drawable(every)]
    edge = known.max(initial=0.0) / 10**DECADES
    return np.where((values > 0) & (values < edge), edge, values)


def edge_note(*pairs: tuple[Numbers, Numbers]) -> str:
    """Says that values are drawn at the edge of an axis, if any is.

    Args:
        pairs: values, and what `at_the_edge` made of them.
    """
    moved = any(np.any((drawn != given) & np.isfinite(given)) for given, drawn in pairs)
    return "   lowest points: as low or lower" if moved else ""


def log_ticks(low: float, high: float, most: int = 7) -> list[float]:
    """Round numbers from `low` to `high`: decades, or for few decades 1, 2 and 5 of each."""
    first = int(np.ceil(np.log10(low) - 1e-9))
    last = int(np.floor(np.log10(high) + 1e-9))
    exponents = range(first, last + 1)
    if len(exponents) >= 3:
        every = -(-len(exponents) // most)
        return [10.0**exponent for exponent in exponents if exponent % every == 0]
    ticks = [
        digit * 10.0**exponent for exponent in range(first - 1, last + 1) for digit in (1, 2, 5)
    ]
    return [tick for tick in ticks if low / 1.000001 <= tick <= high * 1.000001]


def _unlabelled_ticks(low: float, high: float) -> list[float]:
    """Every decade; for few decades also 2 to 9 of each."""
    first, last = int(np.floor(np.log10(low))), int(np.ceil(np.log10(high)))
    digits = range(1, 10) if last - first <= 5 else (1,)
    ticks = [digit * 10.0**exponent for exponent in range(first, last) for digit in digits]
    return [tick for tick in ticks if low <= tick <= high]


def _tick(value: float, position: int | None = None) -> str:
    return short_number(value)
