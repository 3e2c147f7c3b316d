"""Axes of a page's charts: limits, the place of a number between them, and round numbers."""

import math
from collections.abc import Sequence

from depthjax.report.contents import Real

_MOST_TICKS = 7


def is_known(value: Real, logarithmic: bool) -> bool:
    """Whether a value has a place on an axis: it is finite, and positive on a logarithmic one."""
    return math.isfinite(value) and (value > 0 or not logarithmic)


def known(values: Sequence[Real], logarithmic: bool) -> list[float]:
    """The values that have a place on an axis."""
    return [float(value) for value in values if is_known(value, logarithmic)]


def extended(values: list[float], ends: list[float], logarithmic: bool) -> list[float]:
    """The values and the ends of their intervals, moved inwards where they lie far outside.

    A very long interval would leave the values themselves too little room.
    """
    if not values or not ends:
        return values
    low, high = min(values), max(values)
    if logarithmic:
        bounds = low / 10, high * 10
    else:
        bounds = low - 0.6 * (high - low), high + 0.6 * (high - low)
    return values + [min(max(end, bounds[0]), bounds[1]) for end in ends]


def limits(values: Sequence[Real], logarithmic: bool, margin: float) -> tuple[float, float]:
    """Both ends of an axis: the range of the values with a margin, never an empty range."""
    if not values:
        return (0.1, 10.0) if logarithmic else (0.0, 1.0)
    low, high = min(values), max(values)
    if logarithmic:
        low, high = math.log10(low), math.log10(high)
    room = max(high - low, 0.3 if logarithmic else 1e-9 + 0.1 * abs(high))
    middle = (low + high) / 2
    low, high = middle - room * (0.5 + margin), middle + room * (0.5 + margin)
    return (10**low, 10**high) if logarithmic else (low, high)


def position(value: Real, ends: tuple[Real, Real], logarithmic: bool) -> float:
    """Where a value lies between the ends of an axis: 0 is the lower end, 1 the upper one."""
    low, high = ends
    if logarithmic:
        low, high, value = math.log10(low), math.log10(high), math.log10(value)
    return (value - low) / (high - low)


def ticks(ends: tuple[Real, Real], logarithmic: bool) -> list[Real]:
    """Round numbers between the ends of an axis: mostly four to seven."""
    low, high = ends
    if not logarithmic:
        power = 10.0 ** math.floor(math.log10((high - low) / 5))
        steps = [digit * power for digit in (1, 2, 2.5, 5, 10)]
        step = next(step for step in steps if (high - low) / step < _MOST_TICKS)
        first = math.ceil(low / step)
        return [index * step for index in range(first, math.floor(high / step) + 1)]
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7)):
        numbers = [digit * 10.0**power for power in powers for digit in digits]
        inside = [number for number in numbers if low <= number <= high]
        if len(inside) >= 3:
            break
    every = -(-len(inside) // _MOST_TICKS)
    return inside[::every]


def tick_label(value: Real) -> str:
    """`0.5`, `10⁻⁴` or `3·10⁻⁴`."""
    if value == 0 or 1e-3 <= abs(value) < 1e4:
        return f"{value:.4g}"
    mantissa, power = f"{value:.0e}".split("e")
    raised = str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"10{raised}" if mantissa == "1" else f"{mantissa}·10{raised}"
