"""Iterates of a descent, kept to be looked at: a few of them, in 8 bits, on the host.

The compiled loop knows nothing of them. It is only called in parts that end where a frame is due,
so that the numbers of a descent are the same with frames and without.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np
from jaxtyping import Int, UInt8

from depthjax.devices.processes import whole
from depthjax.inversion.config import InversionConfig


@partial(jax.tree_util.register_dataclass, data_fields=["step", "images"], meta_fields=[])
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
        """Those seen at the first of `steps`, and the images where the descent ended."""
        every = [*steps[: len(seen)], int(last)]
        return cls(np.array(every), np.stack([*seen, on_screen(images)]))

    def shaped(self, leading: tuple[int, ...]) -> "Frames":
        """The batch axis as `batch` or `restarts batch`."""
        return Frames(
            self.step, self.images.reshape(len(self.step), *leading, *self.images.shape[2:])
        )


def frame_steps(config: InversionConfig, count: int) -> list[int]:
    """The steps at which frames are due, the last step aside: denser where more happens.

    The start, and then ever further apart (geometric), at steps whose distances are recorded.

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
    """8 bits as one sees them: clipped to [0, 1]; black where they are not finite."""
    return np.rint(255 * np.clip(np.nan_to_num(np.asarray(images)), 0, 1)).astype(np.uint8)


def joined_frames(parts: Sequence[Frames | None], order: np.ndarray) -> Frames | None:
    """The frames of several batches as one; those of a batch that stopped early stay as they were.

    Args:
        parts: of each batch.
        order: which examples of all batches to keep, and in which order.
    """
    known = [part for part in parts if part is not None]
    if not known:
        return None
    longest = max((part.step for part in known), key=lambda step: (len(step), step[-1]))
    fill = ((0, 0),) * (known[0].images.ndim - 1)
    images = [
        np.pad(part.images, ((0, len(longest) - len(part.step)), *fill), mode="edge")
        for part in known
    ]
    return Frames(longest, np.concatenate(images, axis=1)[:, order])


def frames_of_all(mine: Frames, most: int, count: int) -> Frames:
    """The frames of all processes, each of which has those of its share (`processes.share`).

    Args:
        mine: of this process; where its descents stopped early, they stay as they were.
        most: frames that there can be, the last among them.
        count: of all examples.
    """
    missing = most - len(mine.step)
    images = np.pad(mine.images, ((0, missing), *[(0, 0)] * (mine.images.ndim - 1)), mode="edge")
    steps = np.pad(mine.step, (0, missing), constant_values=-1)
    images = whole(images, count, axis=1)
    steps = whole(steps[:, None], jax.process_count(), axis=1)
    longest = max(steps.T, key=lambda column: (np.count_nonzero(column >= 0), column.max()))
    recorded = np.count_nonzero(longest >= 0)
    return Frames(longest[:recorded], images[:recorded])
