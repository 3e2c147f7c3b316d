"""Training sets: each has a name, and all are read in the same way.

    dataset = open_dataset("photo_crops/32", split="train")
    for images, labels, position in batches(dataset, 64, seed=0, epochs=10):
        pictures = augment(key, images, dataset.augmentation)

| spec | |
| --- | --- |
| `photo_crops/32`, `photo_crops/all/32` | which photograph does this crop come from? any size |
| `digits` | handwritten digits, 8×8 |
| `folder:/path` | your own images, a subfolder for each class |
| `tfds:cifar10`, `tfds:imagenette/160px` | any set of labelled images of tensorflow-datasets |
| `noise/224`, `noise/224/1` | the paper's noise with random labels, of this size and seed |
| `photos_or_noise/32` | is this a crop of a photograph, or noise? |
"""

from depthjax.data.augmentation import Augmentation, augment
from depthjax.data.batching import Batch, Position, batches
from depthjax.data.catalogue import card, open_dataset
from depthjax.data.dataset import Card, Dataset
from depthjax.data.held import held_on_device

__all__ = [
    "Augmentation",
    "Batch",
    "Card",
    "Dataset",
    "Position",
    "augment",
    "batches",
    "card",
    "held_on_device",
    "open_dataset",
]
