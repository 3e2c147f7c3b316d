"""What a figure says, and whether it can be read."""

import itertools

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.text import Text


def shown(figure: Figure) -> list[Text]:
    return [
        text
        for text in figure.findobj(Text)
        if isinstance(text, Text)
        and text.get_visible()
        and text.get_text().strip()
        # The labels of the ticks that the upper panel shares are never drawn.
        and not (text.axes is not None and _hidden_tick_label(text))
    ]


def _hidden_tick_label(text: Text) -> bool:
    ticks = [*text.axes.xaxis.get_major_ticks(), *text.axes.yaxis.get_major_ticks()]
    return any(
        (text is tick.label1 and not tick.label1.get_visible())
        or (text is tick.label2 and not tick.label2.get_visible())
        for tick in ticks
    )


def words(figure: Figure) -> list[str]:
    return [text.get_text() for text in shown(figure)]


def legend_words(figure: Figure) -> list[str]:
    """The entries of the legend, then its title."""
    (legend,) = figure.legends
    return [text.get_text() for text in (*legend.get_texts(), legend.get_title())]


def everything_said(figure: Figure) -> str:
    return " | ".join(words(figure)).replace("\n", " ").replace("\u00a0", " ")


def lines_of(axes: Axes) -> list[np.ndarray]:
    """The y of every line."""
    return [np.asarray(line.get_ydata(), float) for line in axes.lines]


def pictures(figure: Figure) -> list[AxesImage]:
    return [found for found in figure.findobj(AxesImage) if isinstance(found, AxesImage)]


def assert_readable(figure: Figure) -> None:
    """Drawn by Agg, no text leaves the page, covers another text, or is tiny."""
    figure.set_dpi(150)
    canvas = FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    texts, renderer = shown(figure), canvas.get_renderer()
    boxes = [Text.get_window_extent(text, renderer) for text in texts]
    for text, box in zip(texts, boxes, strict=True):
        assert text.get_fontsize() >= 6.5
        inside = box.x0 >= 0 and box.y0 >= 0
        inside &= box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1
        assert inside, f"{text.get_text()!r} leaves the page"
    for (text, box), (other, beside) in itertools.combinations(zip(texts, boxes, strict=True), 2):
        # Boxes of text turned by 45 degrees overlap where the letters do not.
        if text.get_rotation() % 90 == 0 and other.get_rotation() % 90 == 0:
            across = min(box.x1, beside.x1) - max(box.x0, beside.x0)
            along = min(box.y1, beside.y1) - max(box.y0, beside.y0)
            touching = across > 1 and along > 2
            assert not touching, f"{text.get_text()!r} covers {other.get_text()!r}"
