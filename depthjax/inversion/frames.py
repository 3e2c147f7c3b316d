"""Iterates of a descent to look at: a few of them, in 8 bits, on the host.

The compiled loop knows nothing of them. Its calls end at the steps where frames are due, so the
numbers of a descent are the same with frames and without.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jaxtyping import Int, UInt8

from depthjax.inversion.config import InversionConfig


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Frames:
    """Iterates on the way. F frames; `…` is `batch` or `restarts batch`.

    Fields:
        step: `[F]`, updates made before each; the first is 0, the last is where the descent ended.
        images: `[F, …, H, W, C]`, clipped to [0, 1] and rounded to 8 bits.
    """

    step: Int[np.ndarray, " frames"]
    images: UInt8[np.ndarray, "frames *batch height width channels"]

    @classmethod
    def ending(
        cls, steps: Sequence[int], seen: Sequence[np.ndarray], last: int, images: Any
    ) -> "Frames":
        """Frames at the first of `steps`, and one more of the images where the descent ended.

        Args:
            steps: at which frames were due.
            seen: the frames on the way, in 8 bits; fewer than `steps` where the descent stopped.
            last: the step where it ended.
            images: the last iterate, `[B, H, W, C]`.
        """
        every = [*steps[: len(seen)], int(last)]
        return cls(np.array(every), np.stack([*seen, on_screen(images)]))


def frame_steps(config: InversionConfig, count: int) -> list[int]:
    """The steps at which frames are due, without the last step.

    The first is the start; then the gaps grow geometrically, since early steps change most. All are
    steps whose distances are recorded.

    Args:
        config: how many steps there are, and which are recorded.
        count: how many frames, the start and the end among them; fewer where a descent is short.

    Returns:
        Ascending, without the last step; empty for a `count` of 0.

    Raises:
        ValueError: if `count` is negative or 1.
    """
    if count == 0:
        return []
    if count < 2:
        raise ValueError(f"frames must be 0 or at least 2 (the start and the end), got {count}")
    every, last = config.record_every, config.steps
    spaced = np.geomspace(min(every, last), last, count - 1)
    due = {0, *(round(step / every) * every for step in spaced[:-1])}
    return sorted(step for step in due if step < last)


def on_screen(images: Any) -> UInt8[np.ndarray, "*shape"]:
    """Images in 8 bits: clipped to [0, 1], rounded; NaN is black."""
    return np.rint(255 * np.clip(np.nan_to_num(np.asarray(images)), 0, 1)).astype(np.uint8)
