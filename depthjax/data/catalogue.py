"""Opens and describes data sets by their spec, such as `photo_crops/32`."""

import dataclasses
import os
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from depthjax.data import photos_or_noise
from depthjax.data.augmentation import Augmentation
from depthjax.data.dataset import Card, Dataset
from depthjax.data.noise import CLASSES, EXAMPLES, MEAN, STD, Noise
from depthjax.data.parts import select
from depthjax.data.preparation import require_tfds
from depthjax.data.records import MEMORY_LIMIT, image_and_label, open_split
from depthjax.errors import one_of, unknown

KINDS = ("photo_crops", "digits", "folder", "tfds", "noise", "photos_or_noise")
_SPECS = (
    "photo_crops/32",
    "photo_crops/all/32",
    "digits",
    "noise/224",
    "photos_or_noise/32",
    "folder:PATH",
    "tfds:NAME",
)


def open_dataset(
    spec: str,
    *,
    split: str = "train",
    size: int | None = None,
    fit: str = "crop",
    data_dir: str | os.PathLike[str] | None = None,
    skip_corrupt: bool = False,
    memory_limit: int = MEMORY_LIMIT,
) -> Dataset:
    """A data set by its spec; it is prepared on first use.

    Args:
        spec: one of those in `depthjax.data`.
        split: `train`, `validation`, `test` or another split of the set; `train[:80%]` for a part.
        size: height and width in pixels that images are brought to. It is needed if they differ in
            size. The size of `photo_crops` and of the sets with noise is part of the spec.
        fit: how images are brought to the size: `crop`, `pad` or `stretch`.
        data_dir: the folder of prepared sets; None is `TFDS_DATA_DIR` or `~/tensorflow_datasets`.
        skip_corrupt: whether to leave out files of a folder that cannot be read.
        memory_limit: a split of at most so many bytes of pixels is decoded once and kept in memory.

    Raises:
        ValueError: for an unknown spec or split, for a size that does not go with the spec, and if
            the set cannot be prepared.
    """
    kind, name, own_size = _parse(spec)
    if size is not None and (own_size is not None or size < 1):
        raise ValueError(
            f"size={size} does not go with {spec!r}; "
            + ("its size is the number in its name" if own_size else "give 1 pixel or more")
        )
    if kind == "noise":
        return _noise(spec, split, Noise(own_size or 0, int(name)))
    if kind == "photos_or_noise":
        builder, augmentation, _ = _prepared(spec, "photo_crops", "default", data_dir, skip_corrupt)
        return photos_or_noise.mixture(
            spec,
            split,
            {base: part.num_examples for base, part in builder.info.splits.items()},
            lambda base: open_split(builder, spec, base, own_size, memory_limit=memory_limit),
            Noise(own_size or 0, int(name)),
            augmentation,
        )
    builder, augmentation, version = _prepared(spec, kind, name, data_dir, skip_corrupt)
    dataset = open_split(builder, spec, split, own_size or size, fit, memory_limit)
    return dataclasses.replace(dataset, augmentation=augmentation, version=version)


def card(
    spec: str,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    skip_corrupt: bool = False,
) -> Card:
    """The description of a data set: counts, classes, licence, source. It is prepared if need be.

    Args:
        spec, data_dir, skip_corrupt: as for `open_dataset`.

    Raises:
        ValueError: as `open_dataset`.
    """
    kind, name, size = _parse(spec)
    if kind == "noise":
        return Card(
            spec,
            f"Independent Gaussian pixels, mean {MEAN}, standard deviation {STD}, with random"
            f" labels; made from seed {name} as they are read.",
            tuple(str(label) for label in range(CLASSES)),
            {"train": EXAMPLES},
            _dimensions((size, size, 3)),
            "none needed",
            "arXiv 2211.06496",
        )
    if kind == "photos_or_noise":
        photographs = card(f"photo_crops/{size}", data_dir=data_dir)
        return dataclasses.replace(
            photographs,
            name=spec,
            description=(
                f"Is this a photograph or noise? The crops of photo_crops/{size}, and as many"
                f" images of the noise of noise/{size}, made from seed {name} as they are read."
            ),
            classes=photos_or_noise.CLASSES,
            counts={split: 2 * count for split, count in photographs.counts.items()},
            licence=f"{photographs.licence}; noise needs none",
            source=f"{photographs.source}; arXiv 2211.06496",
        )
    builder = _prepared(spec, kind, name, data_dir, skip_corrupt).builder
    info = builder.info
    image, label = image_and_label(builder, spec)
    shape = info.features[image].shape
    return Card(
        spec,
        " ".join((info.description or "").split()),
        tuple(info.features[label].names),
        {split: part.num_examples for split, part in info.splits.items()},
        _dimensions((size, size, 3) if size else shape),
        info.redistribution_info.license or "not stated by TFDS; see the source",
        info.homepage,
        tuple((info.metadata or {}).get("skipped", ())),
    )


def _noise(spec: str, split: str, noise: Noise) -> Dataset:
    """The set of noise or a part of it; an example is the same in a part and in the whole set."""
    chosen = select(spec, split, {"train": EXAMPLES})
    numbers = np.concatenate([part for _, part in chosen])
    classes = tuple(str(label) for label in range(CLASSES))
    shape = (noise.size, noise.size, 3)
    return Dataset(spec, split, classes, shape, len(numbers), partial(_renumbered, noise, numbers))


def _renumbered(noise: Noise, numbers: np.ndarray, indices: np.ndarray) -> Any:
    return noise(numbers[indices])


class _Prepared(NamedTuple):
    """A TFDS builder whose data is prepared, and what `Dataset` says of the set."""

    builder: Any
    augmentation: Augmentation
    version: str = ""


def _parse(spec: str) -> tuple[str, str, int | None]:
    """The kind of set, its name within the kind, and the size if the spec has one."""
    kind, _, rest = spec.partition(":")
    if kind in ("folder", "tfds") and rest:
        return kind, rest, None
    kind, *parts = spec.split("/")
    if kind == "digits" and not parts:
        return kind, "", None
    if kind == "photo_crops" and 1 <= len(parts) <= 2:
        *config, size = parts
        configuration = one_of(f"configuration of {kind}", "".join(config), ("", "default", "all"))
        return kind, configuration or "default", _pixels(spec, size)
    if kind in ("noise", "photos_or_noise") and 1 <= len(parts) <= 2:
        seed = parts[1] if len(parts) == 2 else "0"
        if not seed.isdecimal():
            raise ValueError(
                f"the seed in {spec!r} is {seed!r}, not a number; write {kind}/{parts[0]}/1"
            )
        return kind, seed, _pixels(spec, parts[0])
    raise unknown(
        "data set",
        spec,
        _SPECS,
        hint=f"perhaps tfds:{spec}" if ":" not in spec and kind not in KINDS else "",
    )


def _pixels(spec: str, text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise ValueError(
            f"{spec!r} has {text!r} for a size in pixels; write {spec.split('/')[0]}/32"
        )
    return int(text)


def _prepared(
    spec: str, kind: str, name: str, data_dir: str | os.PathLike[str] | None, skip_corrupt: bool
) -> _Prepared:
    require_tfds(spec)
    # Importing TFDS takes long, and sets of noise do not need it.
    from depthjax.data import digits, folder, named, photo_crops

    place = None if data_dir is None else Path(data_dir).expanduser().absolute()
    if kind == "photo_crops":
        return _Prepared(photo_crops.prepared_builder(name, place), photo_crops.AUGMENTATION)
    if kind == "digits":
        return _Prepared(digits.prepared_builder(place), digits.AUGMENTATION)
    if kind == "folder":
        root = Path(name).expanduser().absolute()
        builder = folder.prepared_builder(root, place, skip_corrupt)
        return _Prepared(builder, folder.AUGMENTATION, builder.version_of_files)
    builder = named.prepared_builder(name, place)
    return _Prepared(builder, named.AUGMENTATION, builder.info.full_name)


def _dimensions(shape: tuple[int | None, ...]) -> str:
    height, width, channels = shape
    return f"{height or 'any'}×{width or 'any'}×{channels or 3}"
