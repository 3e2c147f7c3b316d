"""A descent as a film: one sees where it goes, and what it never comes to."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from depthjax.figures.style import BODY, GREY, SMALL, styled
from depthjax.figures.values import checked_labels

if TYPE_CHECKING:
    from matplotlib.animation import FuncAnimation

_WIDTH = 96.0
"""Of a picture, in points."""


def iterates(
    labels: Sequence[str],
    target: ArrayLike,
    steps: Sequence[int],
    pictures: ArrayLike,
    captions: Sequence[Sequence[str]],
    *,
    seconds: float = 0.6,
) -> "FuncAnimation":
    """The target, and beside it what descents have come to after each number of steps.

    `iterates(…).to_jshtml()` is a page with a slider, to be shown in a notebook.

    Args:
        labels: of the L descents.
        target: `[H, W, 3]`, floats; shown clipped to [0, 1].
        steps: made before each of the T frames.
        pictures: `[T, L, H, W, 3]`, likewise; magenta where not finite.
        captions: `[T][L]`.
        seconds: that a frame is shown for.

    Raises:
        ValueError: if shapes do not belong together.
    """
    from matplotlib.animation import FuncAnimation

    names = checked_labels(labels, "descent")
    image, shown = np.asarray(target, np.float64), np.asarray(pictures, np.float64)
    expected = (len(steps), len(names), *image.shape)
    if image.ndim != 3 or image.shape[-1] != 3 or shown.shape != expected:
        raise ValueError(
            f"pictures must be [{len(steps)} steps, {len(names)} descents, height, width, 3] of the"
            f" target's size, got {shown.shape} and a target {image.shape}"
        )
    if [len(row) for row in captions] != [len(names)] * len(steps):
        raise ValueError(f"there must be {len(steps)} rows of {len(names)} captions each")
    frames = _displayable(shown)
    with styled():
        columns = 1 + len(names)
        size = (columns * (_WIDTH + 10) / 72, (_WIDTH * image.shape[0] / image.shape[1] + 52) / 72)
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(1, columns)
        held = []
        for axes, name, first in zip(panels, ["target", *names], [image, *frames[0]], strict=True):
            axes.set_axis_off()
            axes.set_title(name, fontsize=BODY)
            drawn = axes.imshow(np.clip(first, 0, 1), interpolation="nearest")
            place = {"transform": axes.transAxes, "ha": "center", "va": "top"}
            text = axes.text(0.5, -0.04, " ", fontsize=SMALL, **place)
            held.append((drawn, text))
        head = figure.suptitle(" ", fontsize=BODY, color=GREY)

        def show(frame: int) -> list[Any]:
            head.set_text(f"step {steps[frame]}")
            for (drawn, text), picture, words in zip(
                held[1:], frames[frame], captions[frame], strict=True
            ):
                drawn.set_data(picture)
                text.set_text(words)
            return []

        show(0)
        return FuncAnimation(figure, show, frames=len(steps), interval=1000 * seconds)


def _displayable(pictures: np.ndarray) -> np.ndarray:
    """Clipped to [0, 1]; magenta where not finite."""
    lost = ~np.isfinite(pictures).all(-1, keepdims=True)
    return np.where(lost, np.array([1.0, 0.0, 1.0]), np.clip(np.nan_to_num(pictures), 0, 1))
