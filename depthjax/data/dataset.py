"""What every data set looks like to those who read it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float32, Int, UInt8

from depthjax.data.augmentation import Augmentation

Pixels = UInt8[np.ndarray, "b h w c"] | Float32[np.ndarray, "b h w c"]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled images, numbered from 0; made by `open_dataset`.

    Fields:
        name: the spec it was opened by.
        split: which part of it this is.
        classes: their names; a label is a number among them.
        image_shape: height, width, channels.
        length: how many examples there are; `len(dataset)` says so too.
        read: from numbers to images, uint8 0..255 (sets with noise: float32), and int32 labels;
            on the host.
        augmentation: the changes in training that leave an image what it is.
    """

    name: str
    split: str
    classes: tuple[str, ...]
    image_shape: tuple[int, int, int]
    length: int
    read: Callable[[Int[np.ndarray, " b"]], tuple[Pixels, Int[np.ndarray, " b"]]] = field(
        repr=False
    )
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __len__(self) -> int:
        return self.length


@dataclass(frozen=True)
class Card:
    """What there is to know of a data set before using it.

    Fields:
        name: its spec.
        description: one sentence or a few.
        classes: their names.
        counts: examples in each split.
        image: height × width × channels; `any` where images differ.
        licence: of the images.
        source: where they come from.
        skipped: corrupt files that were left out.
    """

    name: str
    description: str
    classes: tuple[str, ...]
    counts: dict[str, int]
    image: str
    licence: str
    source: str
    skipped: tuple[str, ...] = ()


def in_memory(images: Pixels, labels: Int[np.ndarray, " b"]) -> Callable[..., Any]:
    """`Dataset.read` of arrays that are there already."""

    def read(indices: Int[np.ndarray, " b"]) -> tuple[Pixels, Int[np.ndarray, " b"]]:
        return images[indices], labels[indices]

    return read
