"""Learning curves: loss and accuracy by epoch."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from depthjax.figures.style import BLUE, GREY, ORANGE, SMALL, styled

_WIDTH, _HEIGHT = 6.0, 2.4


def learning_curve(
    epochs: ArrayLike,
    loss: dict[str, Sequence[float]],
    accuracy: dict[str, Sequence[float]],
    *,
    classes: int | None = None,
    title: str | None = None,
) -> Figure:
    """Loss (left) and accuracy (right) against the epoch, a line for each split.

    Args:
        epochs: number of each epoch, `[E]`.
        loss: cross-entropy of each split in nats, `[E]` each; NaN is not drawn.
        accuracy: share of right answers of each split, likewise.
        classes: number of classes; a line marks the accuracy of guessing.
        title: above the figure.
    """
    with styled():
        figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
        left, right = figure.subplots(1, 2)
        _lines(left, epochs, loss, "cross-entropy in nats")
        _lines(right, epochs, accuracy, "share of right answers")
        left.set_ylim(bottom=0)
        right.set_ylim(0, 1.02)
        if classes:
            right.axhline(1 / classes, color=GREY, linewidth=0.7, linestyle=":")
            right.annotate(
                "guessing",
                (1, 1 / classes),
                (-1, 2),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                ha="right",
                fontsize=SMALL,
                color=GREY,
            )
        left.legend(loc="upper right")
        if title:
            figure.suptitle(title)
        return figure


def _lines(axes: Axes, epochs: ArrayLike, lines: dict[str, Sequence[float]], label: str) -> None:
    for (name, values), colour in zip(lines.items(), (GREY, BLUE, ORANGE), strict=False):
        axes.plot(epochs, values, color=colour, label=name, linewidth=1.4, marker=".", ms=3)
    axes.set_xlabel("epoch")
    axes.set_ylabel(label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
