"""`folder:/path`: your own images, a subfolder for each class.

The subfolders of the classes lie in the folder itself, or in `train/`, `val/` (or `validation/`)
and `test/` within it. The prepared set holds the files as they are, in random order, so that a part
such as `train[:80%]` is a random sample.
"""

import hashlib
import os
import re
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow_datasets as tfds

from depthjax.data.augmentation import Augmentation
from depthjax.data.preparation import prepare_once
from depthjax.data.randomness import permutation
from depthjax.errors import in_one_line
from depthjax.images import decode_image, find_images

AUGMENTATION = Augmentation(flip=True)
SPLIT_FOLDERS = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}

_SHARD = 4096  # files in a shard


class Listing(NamedTuple):
    """The content of a folder.

    Fields:
        classes: names of the classes.
        files: for each split, the paths of its images and the indices of their classes.
    """

    classes: tuple[str, ...]
    files: dict[str, list[tuple[str, int]]]


def list_folder(root: Path) -> Listing:
    """The images of a folder by split and class; hidden files and other suffixes are ignored.

    Raises:
        ValueError: if there is no such folder, if it has no class, if a class has no image, or if a
            split has a class that the training set does not have.
    """
    if not root.is_dir():
        raise ValueError(f"there is no folder {str(root)!r}; give folder:/path with your classes")
    inside = _subfolders(root)
    splits = {SPLIT_FOLDERS[name]: root / name for name in inside if name in SPLIT_FOLDERS}
    if "train" not in splits:
        splits = {"train": root}
    elif len(splits) < len(inside):
        raise ValueError(
            f"{str(root)!r} holds train/ beside {', '.join(inside)}; keep only folders named"
            f" {', '.join(SPLIT_FOLDERS)}, each split once, or only classes"
        )
    classes = _subfolders(splits["train"])
    if not classes:
        raise ValueError(
            f"{str(splits['train'])!r} has no subfolder; put the images of each class into one"
        )
    files: dict[str, list[tuple[str, int]]] = {}
    for split, folder in splits.items():
        unknown = sorted(set(_subfolders(folder)) - set(classes))
        if unknown:
            raise ValueError(
                f"{str(folder)!r} has the class {unknown[0]!r}, which the training set has not;"
                f" its classes are {', '.join(classes[:20])}"
            )
        files[split] = [
            (path, classes.index(name))
            for name in _subfolders(folder)
            for path in find_images([folder / name])
        ]
    return Listing(classes, files)


def corrupt_files(paths: list[str]) -> dict[str, str]:
    """The files among `paths` that cannot be decoded, each with the reason."""
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        reasons = threads.map(_complaint, paths)
        return {path: why for path, why in zip(paths, reasons, strict=True) if why is not None}


class Folder(tfds.core.ShardBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """A copy of a folder; its name depends on the folder and on the files in it.

    Args:
        root: the folder.
        skip_corrupt: whether to leave out files that cannot be read; else the folder is refused.
    """

    VERSION = tfds.core.Version("1.0.0")

    def __init__(self, *, root: Path, skip_corrupt: bool = False, **kwargs: Any) -> None:
        self.root, self.skip_corrupt = root, skip_corrupt
        self.listing = list_folder(root)
        base = re.sub(r"[^a-z0-9]+", "_", root.name.lower()).strip("_") or "root"
        self.name = f"folder_{base}_{_digest(root, self.listing, skip_corrupt)}"
        super().__init__(**kwargs)

    @property
    def version_of_files(self) -> str:
        """A hash of the files' splits, classes, names and sizes; a copy elsewhere has the same."""
        digest = hashlib.sha256()
        for split, pairs in self.listing.files.items():
            for path, _ in pairs:
                name, size = os.path.relpath(path, self.root), os.path.getsize(path)
                digest.update(f"{split} {name} {size}\n".encode())
        return digest.hexdigest()[:12]

    def _info(self) -> Any:
        features = {
            "image": tfds.features.Image(),
            "label": tfds.features.ClassLabel(names=list(self.listing.classes)),
            "file": tfds.features.Text(),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description=f"The images in {self.root}.",
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("image", "label"),
            homepage=str(self.root),
            license="that of your files",
            metadata=tfds.core.MetadataDict(skipped=[]),
        )

    def _shard_iterators_per_split(
        self, dl_manager: Any
    ) -> dict[str, list[Callable[[], Iterator[tuple[str, dict]]]]]:
        files = self.listing.files
        corrupt = corrupt_files([path for split in files.values() for path, _ in split])
        if corrupt:
            self._refuse_or_skip(corrupt)
        shards: dict[str, list[Callable[[], Iterator[tuple[str, dict]]]]] = {}
        for split, pairs in files.items():
            kept = [pair for pair in pairs if pair[0] not in corrupt]
            if not kept:
                raise ValueError(f"every image of {split!r} in {str(self.root)!r} is corrupt")
            mixed = [kept[i] for i in permutation(0, "folder", split, count=len(kept))]
            shards[split] = [
                partial(self._examples, mixed[start : start + _SHARD])
                for start in range(0, len(mixed), _SHARD)
            ]
        return shards

    def _refuse_or_skip(self, corrupt: dict[str, str]) -> None:
        total = sum(map(len, self.listing.files.values()))
        named = {os.path.relpath(path, self.root): reason for path, reason in corrupt.items()}
        shown = [f"{name}: {reason}" for name, reason in named.items()][:10]
        if len(named) > len(shown):
            shown.append(f"and {len(named) - len(shown)} more")
        complaint = (
            f"{len(named)} of {total} images in {str(self.root)!r} cannot be read"
            f" ({'; '.join(shown)})"
        )
        if not self.skip_corrupt:
            raise ValueError(f"{complaint}; mend or remove them, or skip them with --skip_corrupt")
        warnings.warn(f"skipped: {complaint}", stacklevel=2)
        self.info.metadata["skipped"] = list(named)

    def _examples(self, pairs: list[tuple[str, int]]) -> Iterator[tuple[str, dict]]:
        for path, label in pairs:
            # TFDS reads the file when it writes it; bytes would stay in memory for a whole shard.
            yield path, {"image": path, "label": label, "file": os.path.relpath(path, self.root)}


def prepared_builder(root: Path, data_dir: Path | None, skip_corrupt: bool) -> Any:
    """The builder of a folder's images; see `depthjax.data.preparation.prepare_once`.

    Args:
        root: the folder.
        data_dir: TFDS's folder of prepared sets; None for the default.
        skip_corrupt: whether to leave out files that cannot be read.

    Raises:
        ValueError: as `list_folder`, and for corrupt files unless they are skipped.
    """
    return prepare_once(
        lambda: Folder(
            root=root, skip_corrupt=skip_corrupt, data_dir=data_dir, file_format="array_record"
        ),
        f"folder:{root}",
        progress=True,
    )


def _subfolders(folder: Path) -> tuple[str, ...]:
    with os.scandir(folder) as entries:
        return tuple(sorted(e.name for e in entries if e.is_dir() and not e.name.startswith(".")))


def _digest(root: Path, listing: Listing, skip_corrupt: bool) -> str:
    """A hash of the folder's files, their sizes and times: a changed folder is another set."""
    digest = hashlib.sha256(f"{root}\n{listing.classes}\n{skip_corrupt}\n".encode())
    for split, pairs in listing.files.items():
        for path, _ in pairs:
            status = os.stat(path)
            digest.update(f"{split} {path} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:12]


def _complaint(path: str) -> str | None:
    try:
        decode_image(Path(path).read_bytes(), shown="it")
    except (OSError, ValueError) as error:
        return in_one_line(error).removeprefix("it ")
    return None
