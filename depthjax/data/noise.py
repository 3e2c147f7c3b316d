"""The paper's set of noise images with random labels.

Nothing is stored: an image is made from the seed and its number each time it is read.
"""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scipy
from jaxtyping import Float32, Int

from depthjax.data.randomness import random_words

EXAMPLES, CLASSES = 10_000, 100
MEAN, STD = 0.5, 0.25


class Noise:
    """Images of independent Gaussian pixels with mean 1/2 and standard deviation 1/4, not clipped.

    Args:
        size: height and width in pixels.
        seed: another seed gives another set.
    """

    def __init__(self, size: int, seed: int = 0) -> None:
        self.size, self.seed = size, seed
        self._threads = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="noise")
        words = random_words(seed, "noise labels", count=EXAMPLES)
        self.labels = (words % np.uint64(CLASSES)).astype(np.int32)

    def __call__(
        self, indices: Int[np.ndarray, " b"]
    ) -> tuple[Float32[np.ndarray, "b size size 3"], Int[np.ndarray, " b"]]:
        """The images and labels of the examples with these numbers."""
        return self.images(indices), self.labels[indices]

    def images(self, indices: Int[np.ndarray, " b"]) -> Float32[np.ndarray, "b size size 3"]:
        """The images with these numbers; there is one for every number from 0 on."""
        return np.stack(list(self._threads.map(self._image, indices.tolist())))

    def _image(self, index: int) -> Float32[np.ndarray, "size size 3"]:
        pixels = self.size * self.size * 3
        words = random_words(self.seed, "noise image", index, count=(pixels + 1) // 2)
        # Each half of a word gives a pixel by the quantile function of the normal distribution.
        # This is the same on every machine; NumPy's own sampler may change with its version.
        uniform = (words.astype("<u8").view("<u4")[:pixels] + 0.5) / 2**32
        image = MEAN + STD * scipy.special.ndtri(uniform)
        return image.astype(np.float32).reshape(self.size, self.size, 3)
