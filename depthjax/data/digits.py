"""`digits`: handwritten digits of 8×8 pixels, which come with scikit-learn."""

import io
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from jaxtyping import Int
from PIL import Image

from depthjax.data.augmentation import Augmentation
from depthjax.data.preparation import prepare_once
from depthjax.data.randomness import permutation
from depthjax.errors import imported

AUGMENTATION = Augmentation(pad=1)  # a mirrored digit is another sign
SHARES = {"train": 0.7, "validation": 0.15, "test": 0.15}


class Digits(tfds.core.ShardBasedBuilder):
    """Grey PNG; scikit-learn's values 0..16 become 0..255."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> Any:
        return tfds.core.DatasetInfo(
            builder=self,
            description="Which digit is this? 1797 handwritten digits of 43 people, 8×8, grey.",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(8, 8, 1), encoding_format="png"),
                    "label": tfds.features.ClassLabel(names=[str(digit) for digit in range(10)]),
                }
            ),
            supervised_keys=("image", "label"),
            homepage="scikit-learn (load_digits)",
            license="CC BY 4.0 (E. Alpaydin and C. Kaynak, UCI Machine Learning Repository)",
        )

    def _shard_iterators_per_split(
        self, dl_manager: Any
    ) -> dict[str, list[Callable[[], Iterator[tuple[int, dict]]]]]:
        data = imported("sklearn.datasets", "the data set digits", "scikit-learn").load_digits()
        order = permutation(0, "digits", count=len(data.target))
        bounds = np.rint(np.cumsum(list(SHARES.values())) * len(order)).astype(int)
        parts = np.split(order, bounds[:-1])
        return {
            split: [partial(self._examples, data.images, data.target, part)]
            for split, part in zip(SHARES, parts, strict=True)
        }

    def _examples(
        self, images: np.ndarray, labels: np.ndarray, part: Int[np.ndarray, " n"]
    ) -> Iterator[tuple[int, dict]]:
        for index in part.tolist():
            content = io.BytesIO()
            pixels = np.rint(images[index] * (255 / 16)).astype(np.uint8)
            Image.fromarray(pixels).save(content, "PNG")
            yield index, {"image": content.getvalue(), "label": int(labels[index])}


def prepared_builder(data_dir: Path | None) -> Any:
    """The builder of the digits; see `depthjax.data.preparation.prepare_once`."""
    return prepare_once(lambda: Digits(data_dir=data_dir, file_format="array_record"), "digits")
