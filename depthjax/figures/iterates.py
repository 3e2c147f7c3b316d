"""Descents as an animation for notebooks, with a slider; `storyboard.py` is for film files."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from depthjax.figures.style import BODY, GREY, SMALL, styled
from depthjax.figures.values import checked_labels, displayable

if TYPE_CHECKING:
    from matplotlib.animation import FuncAnimation

_WIDTH = 96.0
"""The width of a picture, in points."""


def iterates(
    labels: Sequence[str],
    target: ArrayLike,
    steps: Sequence[int],
    pictures: ArrayLike,
    captions: Sequence[Sequence[str]],
    *,
    seconds: float = 0.6,
) -> "FuncAnimation":
    """The target, and beside it the iterates of descents, frame by frame.

    `iterates(…).to_jshtml()` is HTML with a slider, for a notebook.

    Args:
        labels: names of the L descents.
        target: `[H, W, 3]`, floats; shown clipped to [0, 1].
        steps: number of steps before each of the T frames.
        pictures: `[T, L, H, W, 3]`, floats; shown clipped to [0, 1], magenta where not finite.
        captions: `[T][L]`.
        seconds: how long a frame is shown.

    Raises:
        ValueError: if shapes do not belong together.
    """
    from matplotlib.animation import FuncAnimation

    names = checked_labels(labels, "descent")
    image, shown = np.asarray(target, np.float64), np.asarray(pictures, np.float64)
    _check(names, image, steps, shown, captions)
    frames = displayable(shown)
    with styled():
        columns = 1 + len(names)
        size = (columns * (_WIDTH + 10) / 72, (_WIDTH * image.shape[0] / image.shape[1] + 52) / 72)
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(1, columns)
        artists = []
        for axes, name, first in zip(panels, ["target", *names], [image, *frames[0]], strict=True):
            axes.set_axis_off()
            axes.set_title(name, fontsize=BODY)
            picture = axes.imshow(np.clip(first, 0, 1), interpolation="nearest")
            place = {"transform": axes.transAxes, "ha": "center", "va": "top"}
            artists.append((picture, axes.text(0.5, -0.04, " ", fontsize=SMALL, **place)))
        head = figure.suptitle(" ", fontsize=BODY, color=GREY)

        def show(frame: int) -> list[Any]:
            head.set_text(f"step {steps[frame]}")
            each = zip(artists[1:], frames[frame], captions[frame], strict=True)
            for (picture, text), pixels, words in each:
                picture.set_data(pixels)
                text.set_text(words)
            return []

        show(0)
        return FuncAnimation(figure, show, frames=len(steps), interval=1000 * seconds)


def _check(
    names: list[str],
    target: np.ndarray,
    steps: Sequence[int],
    pictures: np.ndarray,
    captions: Sequence[Sequence[str]],
) -> None:
    expected = (len(steps), len(names), *target.shape)
    if target.ndim != 3 or target.shape[-1] != 3 or pictures.shape != expected:
        raise ValueError(
            f"pictures must be [{len(steps)} steps, {len(names)} descents, height, width, 3] of the"
            f" target's size, got {pictures.shape} and a target {target.shape}"
        )
    if [len(row) for row in captions] != [len(names)] * len(steps):
        raise ValueError(f"there must be {len(steps)} rows of {len(names)} captions each")
