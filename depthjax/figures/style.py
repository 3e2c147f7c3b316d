"""Colours, sizes and matplotlib settings of all figures."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

# The colours of Okabe and Ito, which can be told apart with any colour vision.
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
AMBER, SKY = "#E69F00", "#56B4E9"
DARK, GREY, PALE = "#222222", "#6E6E6E", "#D0D0D0"

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, AMBER, SKY)
"""Colours of networks, images or seeds, in their order."""

FONT = "DejaVu Sans"
TITLE, BODY, SMALL = 8.5, 7.5, 6.5
"""Font sizes in points; no text is smaller than the last."""
LINE = 1.22
"""Distance between lines of text, in units of the font size."""
EDGE = 8.0
"""Margin of a page, in points."""

_SETTINGS: dict[str, Any] = {
    "axes.edgecolor": DARK,
    "axes.labelsize": BODY,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": SMALL,
    "figure.dpi": 150,
    "font.family": FONT,
    "font.size": BODY,
    # Writing all pictures as one, as large as the page, would take far longer.
    "image.composite_image": False,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "legend.title_fontsize": BODY,
    "lines.solid_capstyle": "round",
    # Type 42 is TrueType; text in the PDF can be edited.
    "pdf.fonttype": 42,
    "text.color": DARK,
    # A dollar sign, as in the name of a file, does not begin a formula.
    "text.parse_math": False,
    "xtick.labelsize": SMALL,
    "xtick.major.size": 2.5,
    "xtick.major.width": 0.6,
    "ytick.labelsize": SMALL,
    "ytick.major.size": 2.5,
    "ytick.major.width": 0.6,
}


def colours(count: int, cycle: Sequence[str] = COLOURS) -> list[str]:
    """`count` colours of a cycle, which begins again where they do not suffice."""
    return [cycle[index % len(cycle)] for index in range(count)]


_PLACES = {"untrained": 0, "photos": 1, "noise": 2, "control": 3}
"""Which of the colours is a network's, whatever other networks stand beside it."""


def network_places(names: Sequence[str]) -> list[int]:
    """The place of each network in a cycle of colours: its own, or else the first that is free."""
    taken = {_PLACES[name] for name in names if name in _PLACES}
    free = (place for place in range(len(names) + len(taken)) if place not in taken)
    return [_PLACES[name] if name in _PLACES else next(free) for name in names]


def network_colours(names: Sequence[str]) -> list[str]:
    """A colour for each network, the same in every figure for those of `depthjax.studies`."""
    return [COLOURS[place % len(COLOURS)] for place in network_places(names)]


def styled() -> AbstractContextManager[None]:
    """A context with matplotlib's defaults and our settings; the user's settings come back."""
    import matplotlib.style  # pages use the colours alone

    return matplotlib.style.context(["default", _SETTINGS])
