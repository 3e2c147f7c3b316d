"""Log axes on which zero has a place, with few labels."""

from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

from depthjax.figures.text import short_number
from depthjax.figures.values import Numbers, is_drawable


def log_scale(
    axes: Axes, which: Literal["x", "y"], *values: Numbers | float, margin: float = 1.4
) -> None:
    """Shows all `values` that can be drawn, over a decade or more."""
    given = np.concatenate([np.ravel(some) for some in values])
    shown = given[is_drawable(given)]
    positive = shown[shown > 0]
    low, high = (positive.min(), positive.max()) if positive.size else (1.0, 1.0)
    if high < 10 * low:
        middle = np.sqrt(low) * np.sqrt(high)
        low, high = middle / np.sqrt(10), middle * np.sqrt(10)
    # Over many decades a factor is nothing: a thirtieth of the length then.
    margin = max(margin, (high / low) ** (1 / 30))
    low, high = float(low / margin), float(high * margin)
    ticks, minor = log_ticks(low, high), _unlabelled_ticks(low, high)
    name, bottom, options = "log", low, dict[str, Any]()
    if positive.size < shown.size:
        # Zero lies a step below the least positive value, with some room for half a marker.
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


def log_ticks(low: float, high: float, most: int = 7) -> list[float]:
    """Round numbers from `low` to `high`: decades, or if they are few, 1, 2 and 5 of each."""
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
    """Every decade, and what lies between if there are few."""
    first, last = int(np.floor(np.log10(low))), int(np.ceil(np.log10(high)))
    digits = range(1, 10) if last - first <= 5 else (1,)
    ticks = [digit * 10.0**exponent for exponent in range(first, last) for digit in digits]
    return [tick for tick in ticks if low <= tick <= high]


def _tick(value: float, position: int | None = None) -> str:
    return short_number(value)
