"""Natural images that a null distribution is made of, from any data set or list of files."""

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import UInt8

from depthjax.data import Dataset, open_dataset
from depthjax.data.randomness import permutation
from depthjax.images import find_images, load_image, to_uint8
from depthjax.images.crops import NaturalCrops

_READ = 64  # images at a time
_KINDS = ("photo_crops", "folder:", "tfds:")
_NOISE = ("noise/", "photos_or_noise/")

SPLIT = "train"
"""The part of a data set that images are drawn from."""


def natural_images(
    sources: Sequence[str],
    size: int,
    pairs: int,
    *,
    seed: int = 0,
    data_dir: str | None = None,
) -> NaturalCrops:
    """As many natural images as make so many pairs of different photographs, drawn at random.

    Images whose pixels are all the same as another's are left out.

    Args:
        sources: one data set, `photo_crops` (of the size that is asked for), `folder:PATH` or
            `tfds:NAME`; or images: paths, folders, patterns, names of embedded photographs.
        size: height and width in pixels.
        pairs: how many at least. Crops of one photograph make no pair: they would be alike
            because they overlap.
        seed: of the order in which images are drawn.
        data_dir: the folder of prepared data sets.

    Returns:
        The images, the photograph that each is of, and how they were drawn.

    Raises:
        ValueError: for a source that does not exist, for noise, and for too few images.
    """
    name = sources[0] if len(sources) == 1 else ""
    if name.startswith(_NOISE):
        raise ValueError(
            f"{name!r} holds noise, and natural images are asked for; take {_KINDS[0]}"
        )
    if name.startswith(_KINDS):
        whole = f"{name}/{size}" if name in ("photo_crops", "photo_crops/all") else name
        dataset = open_dataset(
            whole,
            split=SPLIT,
            size=None if name.startswith("photo_crops") else size,
            data_dir=data_dir,
        )
        drawn = _of_dataset(dataset, seed)
        name = f"{whole}, {SPLIT}"
    else:
        files = find_images(list(sources))
        drawn = ((to_uint8(load_image(file, size)), file) for file in _drawn(files, seed))
        name = f"{len(files)} files"
    found = _enough(drawn, pairs, name, seed)
    if found.images.shape[1:] != (size, size, 3):
        given = "×".join(map(str, found.images.shape[1:]))
        raise ValueError(
            f"{name} has images of {given}, and {size}×{size}×3 are asked for; take colour images,"
            " and write photo_crops without a size"
        )
    return found


def _drawn(files: Sequence[str], seed: int) -> list[str]:
    return [files[index] for index in permutation(seed, "natural", count=len(files))]


def _of_dataset(dataset: Dataset, seed: int) -> Iterator[tuple[np.ndarray, str]]:
    """Images in random order, each with its photograph: of photo_crops the class says it."""
    order = permutation(seed, "natural", count=len(dataset))
    crops = dataset.name.startswith("photo_crops")
    for first in range(0, len(order), _READ):
        numbers = order[first : first + _READ]
        images, classes = dataset.read(numbers)
        for image, number, label in zip(np.asarray(images), numbers, classes, strict=True):
            yield image, dataset.classes[label] if crops else str(number)


def _enough(
    drawn: Iterator[tuple[UInt8[np.ndarray, "h w c"], str]], pairs: int, name: str, seed: int
) -> NaturalCrops:
    seen: set[bytes] = set()
    images: list[np.ndarray] = []
    photographs: list[str] = []
    found = 0
    of_photograph: dict[str, int] = {}
    for image, photograph in drawn:
        digest = hashlib.sha256(image.tobytes()).digest()
        if digest in seen:
            continue
        seen.add(digest)
        found += len(images) - of_photograph.get(photograph, 0)
        of_photograph[photograph] = of_photograph.get(photograph, 0) + 1
        images.append(image)
        photographs.append(photograph)
        if found >= pairs:
            break
    if found < max(pairs, 1):
        raise ValueError(
            f"{name} has {len(images)} different images of {len(of_photograph)} photographs, which"
            f" make {found} pairs, and {pairs} were asked for; ask for fewer, or take more images"
        )
    stacked = np.stack(images)
    record = {
        "source": name,
        "seed": seed,
        "images": len(images),
        "photographs": len(of_photograph),
        "sha256": hashlib.sha256(stacked.tobytes()).hexdigest(),
    }
    return NaturalCrops(stacked, tuple(photographs), record)
