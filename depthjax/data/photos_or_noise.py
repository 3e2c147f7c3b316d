"""`photos_or_noise`: is this a photograph, or noise?

One half of each split is the crops of `photo_crops`, the other half is images of the paper's noise.
"""

from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Float32, Int

from depthjax.data.augmentation import Augmentation
from depthjax.data.dataset import Dataset
from depthjax.data.noise import Noise
from depthjax.data.parts import select

CLASSES = ("photograph", "noise")


def mixture(
    name: str,
    split: str,
    counts: Mapping[str, int],
    photographs: Callable[[str], Dataset],
    noise: Noise,
    augmentation: Augmentation,
) -> Dataset:
    """Photographs and noise in turn: example 2i is photograph i, example 2i + 1 is noise.

    So every part of a split has as many photographs as images of noise. No image of noise is in two
    splits.

    Args:
        name: the spec.
        split: in TFDS's notation.
        counts: number of photographs in each split; all splits in their order.
        photographs: opens a split of the photographs, uint8.
        noise: makes the images of noise.
        augmentation: for both halves. It must remove colour, since many photographs are grey and no
            noise is.
    """
    chosen = select(name, split, {split: 2 * count for split, count in counts.items()})
    # Photographs and noise are numbered through all splits, so that each split has its own.
    begins = dict(zip(counts, np.cumsum([0, *counts.values()]).tolist(), strict=False))
    numbers = np.concatenate([2 * begins[base] + part for base, part in chosen])
    opened = {base: photographs(base) for base, _ in chosen}
    shape = (noise.size, noise.size, 3)

    def read(
        indices: Int[np.ndarray, " b"],
    ) -> tuple[Float32[np.ndarray, "b h w c"], Int[np.ndarray, " b"]]:
        image, label = np.divmod(numbers[indices], len(CLASSES))
        pixels = np.empty((len(indices), *shape), np.float32)
        if (noisy := label == CLASSES.index("noise")).any():
            pixels[noisy] = noise.images(image[noisy])
        for base, dataset in opened.items():
            of_split = image - begins[base]
            here = ~noisy & (of_split >= 0) & (of_split < len(dataset))
            if here.any():
                pixels[here] = dataset.read(of_split[here])[0] / np.float32(255)
        return pixels, label.astype(np.int32)

    return Dataset(name, split, CLASSES, shape, len(numbers), read, augmentation)
