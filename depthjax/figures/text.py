"""How names and numbers are written, and how much room they take, in points."""

import re
from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.textpath import text_to_path

from depthjax.figures.style import EDGE, FONT, LINE, TITLE


def short_number(value: float) -> str:
    """At most three significant digits, in few characters: 0.52, 12.3, 1.5e-6."""
    if np.isnan(value):
        return "–"
    if np.isinf(value):
        return "∞" if value > 0 else "-∞"
    rounded = float(f"{value:.3g}")
    if rounded == 0 or 1e-3 <= abs(rounded) < 1e4:
        return f"{rounded:.10g}"
    mantissa, exponent = f"{rounded:.2e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def short_name(name: str, most: int = 40) -> str:
    """One line; names are told apart by how they begin and end."""
    text = _clean(name)
    if len(text) <= most:
        return text
    head = (most - 1) // 2
    return f"{text[:head]}…{text[head + 1 - most :]}"


def wrapped_title(title: str | None, page: float) -> str:
    """A title in as many lines as it takes on a page of this width; nothing if there is none."""
    return wrapped(_clean(title or ""), page - 2 * EDGE, TITLE)


def wrapped(text: str, width: float, size: float, after: str = " ") -> str:
    """Lines at most `width` wide, broken after any of `after`, or if need be anywhere."""
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
    """The width of the widest line."""
    return max((_width(line, size) for text in texts for line in text.split("\n")), default=0.0)


def tallest(texts: Iterable[str], size: float) -> float:
    """The height of the text with the most lines."""
    return max(text.count("\n") + 1 if text else 0 for text in texts) * size * LINE


def _clean(text: str) -> str:
    """One line, and a box for each character that the font lacks (matplotlib would warn)."""
    font = get_font(findfont(FontProperties(family=FONT)))
    line = " ".join(str(text).split())
    return "".join(letter if font.get_char_index(ord(letter)) else "□" for letter in line)


@lru_cache(maxsize=4096)
def _width(text: str, size: float) -> float:
    """A little more than it takes, for renderers round."""
    font = FontProperties(family=FONT, size=size)
    return 1.03 * text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]
