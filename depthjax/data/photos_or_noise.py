"""`photos_or_noise`: is this a photograph, or noise?

Half of it are the crops of `photo_crops`, in their splits; half are images of the paper's noise.
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
    """Photographs and noise by turns: example 2i is photograph i, example 2i + 1 is noise.

    So every part of a split has as many of the one as of the other, and each split has noise of its
    own.

    Args:
        name: the spec.
        split: in TFDS's notation.
        counts: photographs in each split, all splits in their order.
        photographs: opens a split of them, uint8.
        noise: makes the other half.
        augmentation: for both. It must take colour away: many photographs are grey, no noise is.
    """
    chosen = select(name, split, {split: 2 * count for split, count in counts.items()})
    # Numbered through all splits: photograph 700 of 720 + 1200, and image 700 of the noise.
    begins = dict(zip(counts, np.cumsum([0, *counts.values()]).tolist(), strict=False))
    numbers = np.concatenate([2 * begins[base] + part for base, part in chosen])
    opened = {base: photographs(base) for base, _ in chosen}
    shape = (noise.size, noise.size, 3)

    def read(
        indices: Int[np.ndarray, " b"],
    ) -> tuple[Float32[np.ndarray, "b h w c"], Int[np.ndarray, " b"]]:
        image, label = np.divmod(numbers[indices], len(CLASSES))
        found = np.empty((len(indices), *shape), np.float32)
        if (noisy := label == CLASSES.index("noise")).any():
            found[noisy] = noise.images(image[noisy])
        for base, dataset in opened.items():
            of_split = image - begins[base]
            here = ~noisy & (of_split >= 0) & (of_split < len(dataset))
            if here.any():
                found[here] = dataset.read(of_split[here])[0] / np.float32(255)
        return found, label.astype(np.int32)

    return Dataset(name, split, CLASSES, shape, len(numbers), read, augmentation)
