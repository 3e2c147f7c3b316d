"""Names and numbers as text, and how much room a text takes, in points.

Pages use the numbers alone, so matplotlib is imported when a text is measured.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from depthjax.figures.style import EDGE, FONT, LINE, TITLE


def short_number(value: float) -> str:
    """At most three significant digits in few characters, for labels: 0.52, 12.3, 1.5e-6, ∞.

    Tables have `depthjax.tables.number`.
    """
    if np.isnan(value):
        return "–"
    if np.isinf(value):
        return "∞" if value > 0 else "-∞"
    rounded = float(f"{value:.3g}")
    if rounded == 0 or 1e-3 <= abs(rounded) < 1e4:
        return f"{rounded:.10g}"
    mantissa, exponent = f"{rounded:.2e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def counted(number: int, noun: str) -> str:
    """`1 image`, `3 images`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


TOO_FEW = "too few for intervals (3 are needed)"
"""Said where means are drawn without an interval: `depthjax.statistics.LEAST` seeds or images."""


def averages(tables: Iterable[ArrayLike], sample: str) -> str:
    """What a figure draws, and of how many: with intervals only where there is one.

    Args:
        tables: `[…, 3]`: estimates, low and high ends.
        sample: `n = 3 weight seeds × 5 images`; may be empty.
    """
    any_interval = any(np.isfinite(np.asarray(table)[..., 1:]).any() for table in tables)
    drawn = "means and 95 % intervals" if any_interval else f"means; {TOO_FEW}"
    return ", ".join(filter(None, [drawn, sample]))


def short_name(name: str, most: int = 40) -> str:
    """A name in one line of at most `most` letters; its beginning and its end are kept."""
    text = _clean(name)
    if len(text) <= most:
        return text
    head = (most - 1) // 2
    return f"{text[:head]}…{text[head + 1 - most :]}"


def wrapped_title(title: str | None, page: float) -> str:
    """A title broken into lines for a page of this width; "" for no title."""
    return wrapped(_clean(title or ""), page - 2 * EDGE, TITLE)


def wrapped(text: str, width: float, size: float, after: str = " ") -> str:
    """A text broken into lines of at most `width`, and where it is broken already.

    Args:
        text: to be broken.
        width: in points.
        size: of the font.
        after: letters after which a line may end. A piece that is too long is broken anywhere.
    """
    if "\n" in text:
        return "\n".join(wrapped(line, width, size, after) for line in text.split("\n"))
    breaks = re.escape(after)
    lines = [""]
    for piece in re.findall(f"[^{breaks}]+[{breaks}]*|[{breaks}]+", text):
        if lines[-1] and _width((lines[-1] + piece).rstrip(), size) > width:
            lines.append("")
        for letter in piece:
            if lines[-1] and letter != " " and _width(lines[-1] + letter, size) > width:
                lines.append("")
            lines[-1] += letter
    return "\n".join(line.strip() for line in lines)


def widest(texts: Iterable[str], size: float) -> float:
    """The width of the widest line of all texts."""
    return max((_width(line, size) for text in texts for line in text.split("\n")), default=0.0)


def tallest(texts: Iterable[str], size: float) -> float:
    """The height of the text with the most lines."""
    return max(text.count("\n") + 1 if text else 0 for text in texts) * size * LINE


def _clean(text: str) -> str:
    """The text in one line; a box replaces each character that the font lacks.

    Matplotlib would warn of such a character.
    """
    from matplotlib.font_manager import FontProperties, findfont, get_font

    font = get_font(findfont(FontProperties(family=FONT)))
    line = " ".join(str(text).split())
    return "".join(letter if font.get_char_index(ord(letter)) else "□" for letter in line)


@lru_cache(maxsize=4096)
def _width(text: str, size: float) -> float:
    """The width of a line, 3 % more than measured, since renderers round."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family=FONT, size=size)
    return 1.03 * text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]
