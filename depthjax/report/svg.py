"""The marks that a page's charts are made of, as SVG: text, lines, points and legends.

Colours stand in the file, so that a chart can be used alone. The page's style overrules them by
the class names.
"""

from collections.abc import Iterator, Sequence

from markupsafe import escape

from depthjax.figures.style import AMBER, BLUE, DARK, GREEN, ORANGE, PURPLE, SKY
from depthjax.report.contents import Real

PALETTE = (BLUE, ORANGE, GREEN, PURPLE, AMBER, SKY)
"""Colours of lines, in their order; after the last one the first comes again."""

LETTER = 6.4
"""Mean width of a letter of 12 px, in pixels."""

_DASHES = ("", "7 3", "2 3", "9 3 2 3")
_OUTLINES = (
    "M-3.4 0a3.4 3.4 0 1 0 6.8 0a3.4 3.4 0 1 0-6.8 0",
    "M-3-3h6v6h-6z",
    "M0-4.2L4 3H-4z",
    "M0-4.2L4.2 0L0 4.2L-4.2 0z",
)
"""A circle, a square, a triangle, a diamond."""


def colour(index: int) -> tuple[str, str]:
    """The colour of a line, and the class name by which the page's style overrules it."""
    return PALETTE[index % len(PALETTE)], f"s{index % len(PALETTE)}"


def dash_attribute(index: int, marked: bool) -> str:
    """The dashes of a line, which tell lines apart besides the colour.

    Lines with markers need dashes only when the colours come again.
    """
    dash = _DASHES[(index // len(PALETTE) if marked else index) % len(_DASHES)]
    return f' stroke-dasharray="{dash}"' if dash else ""


def marker(x: Real, y: Real, index: int, words: str = "") -> str:
    """A point in one of four shapes, which tell lines apart besides the colour.

    Args:
        x, y: its centre, in pixels.
        index: of the line.
        words: shown where the pointer rests on it.
    """
    paint, shade = colour(index)
    outline = _OUTLINES[index % len(_OUTLINES)]
    title = f"<title>{escape(words)}</title>" if words else ""
    return (
        f'<path class="{shade} dot" fill="{paint}" transform="translate({x:.1f} {y:.1f})"'
        f' d="{outline}">{title}</path>'
    )


def text(
    x: Real,
    y: Real,
    words: str,
    anchor: str,
    kind: str = "tick",
    paint: str = DARK,
    size: int = 12,
) -> str:
    """Words at a place.

    Args:
        x, y: the place in pixels; y is that of the base line.
        words: what is written.
        anchor: which end of the words lies at x: `start`, `middle` or `end`.
        kind: a class name.
        paint: the colour.
        size: of the letters, in pixels.
    """
    return (
        f'<text class="{kind}" fill="{paint}" font-size="{size}" text-anchor="{anchor}"'
        f' x="{x:.1f}" y="{y:.1f}">{escape(words)}</text>'
    )


def shortened(name: str) -> str:
    """A name of at most 26 letters; of a longer one the beginning and the end are kept."""
    return name if len(name) <= 26 else f"{name[:12]}…{name[-13:]}"


def legend_rows(names: Sequence[str], width: Real) -> list[list[tuple[int, str]]]:
    """The entries of a legend by row: the index and the name of a line each."""
    rows: list[list[tuple[int, str]]] = []
    left = 0.0
    for index, name in enumerate(names):
        entry = legend_entry_width(name)
        if not rows or left + entry > width:
            rows.append([])
            left = 0.0
        rows[-1].append((index, name))
        left += entry
    return rows


def legend_entry_width(name: str) -> float:
    """The width of an entry, in pixels."""
    return 36 + LETTER * len(shortened(name))


def legend_entry(x: Real, y: Real, index: int, name: str, marked: bool) -> Iterator[str]:
    """A piece of the line, its marker if lines have markers, and its name."""
    paint, shade = colour(index)
    dashes = dash_attribute(index, marked)
    yield (
        f'<path class="{shade} line" stroke="{paint}" stroke-width="1.9"{dashes}'
        f' d="M{x:.0f} {y}h18"/>'
    )
    if marked:
        yield marker(x + 9, y, index)
    yield text(x + 23, y + 4, shortened(name), "start")
