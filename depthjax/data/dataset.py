"""What every data set has: its classes, its size, and a way to read examples by number."""

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
        name: the spec by which it was opened.
        split: the split, or the part of one.
        classes: names of the classes; a label is an index into them.
        image_shape: height, width, channels.
        length: number of examples; the same as `len(dataset)`.
        read: from numbers of examples to images, uint8 0..255 (float32 in sets with noise), and
            int32 labels; NumPy arrays, or JAX arrays of a set that is `held_on_device`.
        augmentation: random changes in training that do not change the class of an image.
        version: what the name does not say: of a folder a hash of its files' names and sizes, of a
            set of TFDS its configuration and version; empty where the name says all.
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
    version: str = ""

    def __len__(self) -> int:
        return self.length


@dataclass(frozen=True)
class Card:
    """The description of a data set.

    Fields:
        name: its spec.
        description: in one sentence or a few.
        classes: names of the classes.
        counts: number of examples in each split.
        image: height × width × channels; `any` where images differ.
        licence: of the images.
        source: of the images.
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
    """A `Dataset.read` for arrays in memory."""

    def read(indices: Int[np.ndarray, " b"]) -> tuple[Pixels, Int[np.ndarray, " b"]]:
        return images[indices], labels[indices]

    return read
