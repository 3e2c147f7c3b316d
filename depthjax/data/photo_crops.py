"""`photo_crops`: which photograph does this crop come from?

The photographs come with scikit-image and scikit-learn, so that no network is needed. Each is cut
into blocks, and whole blocks are held out for validation and test: no pixel is in two splits.
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from jaxtyping import Int8, UInt8
from PIL import Image

from depthjax.data.augmentation import Augmentation
from depthjax.data.preparation import prepare_once
from depthjax.data.randomness import permutation, random_words
from depthjax.images import decode_image, load_image, to_uint8
from depthjax.images.embedded import EMBEDDED

SPLITS = {"train": 500, "validation": 60, "test": 100}
"""Number of crops of each photograph."""

BLOCK = 64
"""Height and width of a block in pixels."""

SIDES = (48, 64)
"""Side of the smallest and of the largest crop in pixels, before it is resized."""

FLAT = 2.0
"""Blocks whose grey values (0..255) have a smaller standard deviation are left out as empty."""

HELD_OUT = ("astronaut", "chelsea", "coffee", "rocket", "china")
"""Photographs that are no class by default; a trained network has not seen them."""

# Some photographs are grey. If all lose their colour, being grey tells nothing about the class.
AUGMENTATION = Augmentation(flip=True, grey=True, jitter=0.4, tint=0.2)

_SPLIT_NUMBER = {name: number for number, name in enumerate(SPLITS)}
_HELD_OUT_SHARE = 0.15  # of the blocks, for validation and for test each


@dataclass(kw_only=True, eq=False)
class PhotoCropsConfig(tfds.core.BuilderConfig):
    """Which photographs are the classes."""

    photographs: tuple[str, ...]


class PhotoCrops(tfds.core.ShardBasedBuilder):
    """The crops as PNG, at their size in the photograph: 48 to 64 pixels."""

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = [  # noqa: RUF012
        PhotoCropsConfig(
            name="default",
            photographs=tuple(name for name in EMBEDDED if name not in HELD_OUT),
            description=f"all photographs but {', '.join(HELD_OUT)}",
        ),
        PhotoCropsConfig(
            name="all", photographs=tuple(EMBEDDED), description="all embedded photographs"
        ),
    ]

    def _info(self) -> Any:
        features = {
            "image": tfds.features.Image(shape=(None, None, 3), encoding_format="png"),
            "label": tfds.features.ClassLabel(names=list(self.builder_config.photographs)),
            "top": np.int32,
            "left": np.int32,
            "side": np.int32,
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description=(
                "Which photograph does this crop come from? Blocks of"
                f" {BLOCK}×{BLOCK} pixels, some held out for validation and test; crops of"
                f" {SIDES[0]} to {SIDES[1]} pixels; {self.builder_config.description}."
            ),
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("image", "label"),
            homepage="scikit-image and scikit-learn",
            license="each photograph's own, see the list of photographs",
        )

    def _shard_iterators_per_split(
        self, dl_manager: Any
    ) -> dict[str, list[Callable[[], Iterator[tuple[str, dict]]]]]:
        return {split: [partial(self._crops, split)] for split in SPLITS}

    def _crops(self, split: str) -> Iterator[tuple[str, dict]]:
        names = self.builder_config.photographs
        photographs = {name: to_uint8(load_image(name)) for name in names}
        cuts = {
            name: list(windows(name, block_owners(name, pixels), split))
            for name, pixels in photographs.items()
        }
        # The classes take turns, so that a part such as train[:10%] has all of them.
        for number in range(SPLITS[split]):
            for name in names:
                top, left, side = cuts[name][number]
                crop = photographs[name][top : top + side, left : left + side]
                box = {"top": top, "left": left, "side": side}
                yield f"{name}-{number}", {"image": _png(crop), "label": name, **box}


def block_owners(
    name: str, photograph: UInt8[np.ndarray, "height width 3"]
) -> Int8[np.ndarray, "rows columns"]:
    """The split of each block as an index into `SPLITS`; -1 for empty blocks.

    Pixels at the right and at the lower edge that do not fill a block are in no split.

    Args:
        name: of the photograph. It seeds the choice, so that the other classes do not matter.
        photograph: its pixels.
    """
    rows, columns = photograph.shape[0] // BLOCK, photograph.shape[1] // BLOCK
    whole = photograph[: rows * BLOCK, : columns * BLOCK].mean(axis=-1)
    deviation = whole.reshape(rows, BLOCK, columns, BLOCK).std(axis=(1, 3))
    usable = np.flatnonzero(deviation.ravel() >= FLAT)
    order = usable[permutation(0, "blocks", name, count=len(usable))]
    held_out = max(1, round(_HELD_OUT_SHARE * len(usable)))
    owners = np.full(rows * columns, -1, np.int8)
    owners[order] = _SPLIT_NUMBER["train"]
    owners[order[:held_out]] = _SPLIT_NUMBER["validation"]
    owners[order[held_out : 2 * held_out]] = _SPLIT_NUMBER["test"]
    return owners.reshape(rows, columns)


def windows(
    name: str, owners: Int8[np.ndarray, "rows columns"], split: str
) -> Iterator[tuple[int, int, int]]:
    """Top, left and side of each crop: squares within the blocks of a split."""
    allowed = np.kron(owners == _SPLIT_NUMBER[split], np.ones((BLOCK, BLOCK), bool))
    total = np.pad(allowed.cumsum(0, np.int32).cumsum(1), ((1, 0), (1, 0)))
    places: dict[int, np.ndarray] = {}
    for number in range(SPLITS[split]):
        of_size, of_place = random_words(0, "crop", name, split, number, count=2)
        side = SIDES[0] + int(of_size % np.uint64(SIDES[1] - SIDES[0] + 1))
        if side not in places:
            inside = total[side:, side:] - total[:-side, side:] - total[side:, :-side]
            places[side] = np.argwhere(inside + total[:-side, :-side] == side * side)
        top, left = places[side][of_place % np.uint64(len(places[side]))]
        yield int(top), int(left), side


def held_out_patches(
    size: int, count: int
) -> tuple[UInt8[np.ndarray, "count size size 3"], list[str]]:
    """Patches of the photographs `HELD_OUT`, cut like the crops of the test split.

    Args:
        size: height and width in pixels that they are resized to.
        count: number of patches; the photographs take turns.

    Returns:
        The patches, and the name of the photograph of each.

    Raises:
        ValueError: for more patches than the test split has crops of these photographs.
    """
    most = len(HELD_OUT) * SPLITS["test"]
    if not 1 <= count <= most:
        raise ValueError(f"there are 1 to {most} patches of held-out photographs, not {count}")
    patches = []
    for name in HELD_OUT:
        pixels = to_uint8(load_image(name))
        cuts = windows(name, block_owners(name, pixels), "test")
        for top, left, side in islice(cuts, -(-count // len(HELD_OUT))):
            crop = _png(pixels[top : top + side, left : left + side])
            patches.append(to_uint8(decode_image(crop, size)))
    each = len(patches) // len(HELD_OUT)
    order = [photo * each + number for number in range(each) for photo in range(len(HELD_OUT))]
    chosen = order[:count]
    return np.stack([patches[at] for at in chosen]), [HELD_OUT[at // each] for at in chosen]


def _png(pixels: UInt8[np.ndarray, "h w 3"]) -> bytes:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG", compress_level=1)  # a third of the time
    return content.getvalue()


def prepared_builder(config: str, data_dir: Path | None) -> Any:
    """The builder of the crops; see `depthjax.data.preparation.prepare_once`.

    Args:
        config: "default" or "all".
        data_dir: TFDS's folder of prepared sets; None for the default.
    """
    return prepare_once(
        lambda: PhotoCrops(config=config, data_dir=data_dir, file_format="array_record"),
        f"photo_crops/{config}",
    )
