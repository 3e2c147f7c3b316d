"""Reads the examples of a prepared data set by their numbers, and decodes them into pixels.

We prepare sets as array_record, which gives random access. Sets prepared by others may be TFRECORD
files; of these an index is made first, from the lengths of the records.
"""

import os
import re
import struct
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Int, UInt8

from depthjax.data.dataset import Dataset, in_memory
from depthjax.errors import in_one_line, one_of
from depthjax.images import decode_image, to_uint8

MEMORY_LIMIT = 1 << 30
"""A split of at most so many bytes of pixels is decoded once and kept in memory."""


def open_split(
    builder: Any,
    name: str,
    split: str,
    size: int | None,
    fit: str = "crop",
    memory_limit: int = MEMORY_LIMIT,
) -> Dataset:
    """A split of a prepared set.

    Args:
        builder: of TFDS, for a prepared set.
        name: the spec, for messages.
        split: its name, or a part in TFDS's notation: `train[:80%]`.
        size: height and width in pixels that images are resized to; None if all have the same size
            and keep it.
        fit: how they are resized; see `depthjax.images.load_image`.
        memory_limit: see `MEMORY_LIMIT`.

    Raises:
        ValueError: for a split that does not exist, for images of different sizes without a `size`,
            for a set without images or labels, and for damaged files.
    """
    features = builder.info.features
    image, label = image_and_label(builder, name)
    shape = _image_shape(features[image].shape, name, size)
    records = _records(builder, name, split)
    decode = _decoder(features, image, label, shape, fit, name)

    # Threads help with large images, which Pillow decodes without the interpreter's lock. Small
    # images are decoded faster one after the other.
    whole = len(records) * int(np.prod(shape)) <= memory_limit
    threads = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="decode")
    decode_all = map if whole else threads.map

    def read(
        indices: Int[np.ndarray, " b"],
    ) -> tuple[UInt8[np.ndarray, "b h w c"], Int[np.ndarray, " b"]]:
        images = np.empty((len(indices), *shape), np.uint8)
        labels = np.empty(len(indices), np.int32)
        for start in range(0, len(indices), _CHUNK):
            chosen = [int(i) for i in indices[start : start + _CHUNK]]
            try:
                encoded = records.__getitems__(chosen) if chosen else []
            except RuntimeError as error:  # array_record's
                raise _damaged(builder, name, error) from error
            for number, (pixels, of_class) in enumerate(decode_all(decode, encoded), start):
                images[number], labels[number] = pixels, of_class
        return images, labels

    return Dataset(
        name,
        split,
        tuple(features[label].names),
        shape,
        len(records),
        in_memory(*read(np.arange(len(records)))) if whole else read,
    )


def _decoder(
    features: Any, image: str, label: str, shape: tuple[int, int, int], fit: str, name: str
) -> Callable[[bytes], tuple[UInt8[np.ndarray, "h w c"], int]]:
    """From a serialised example to its pixels, of a given shape, and its label."""
    decoders = {image: _skip_decoding()}

    def decode(record: bytes) -> tuple[UInt8[np.ndarray, "h w c"], int]:
        example = features.deserialize_example_np(record, decoders=decoders)
        pixels = decode_image(example[image], shape[:2], fit=fit, shown=f"an image of {name!r}")
        # A grey image has three equal channels; one is kept.
        return to_uint8(pixels)[..., : shape[2]], int(example[label])

    return decode


_CHUNK = 1024  # encoded examples that are in memory at the same time


def image_and_label(builder: Any, name: str) -> tuple[str, str]:
    """The names of the image and of the label in the examples of a set.

    Raises:
        ValueError: unless there is one image and one label.
    """
    from tensorflow_datasets.core import features as kinds

    names = []
    for kind in (kinds.Image, kinds.ClassLabel):
        keys = [key for key, feature in builder.info.features.items() if type(feature) is kind]
        supervised = [key for key in builder.info.supervised_keys or () if key in keys]
        if len(keys) != 1 and len(supervised) != 1:
            raise ValueError(
                f"{name!r} is not a set of labelled images: each example holds"
                f" {', '.join(builder.info.features)}, with {len(keys)} of {kind.__name__};"
                " choose one for image classification"
            )
        names.append((supervised or keys)[0])
    return names[0], names[1]


def _image_shape(stored: Sequence[int | None], name: str, size: int | None) -> tuple[int, int, int]:
    height, width = (size, size) if size is not None else stored[:2]
    if height is None or width is None:
        raise ValueError(f"the images of {name!r} differ in size; give size=224 to bring them to")
    return height, width, stored[2] or 3


def _skip_decoding() -> Any:
    import tensorflow_datasets as tfds

    return tfds.decode.SkipDecoding()


def _records(builder: Any, name: str, split: str) -> Any:
    """The serialised examples of a split; an object with `__len__` and `__getitems__`."""
    import tensorflow_datasets as tfds

    for asked in re.findall(r"[^+\[\]]+(?:\[[^\]]*\])?", split) or [split]:
        one_of(f"split of {name!r}", asked.split("[")[0].strip(), builder.info.splits)
    try:
        instructions = builder.info.splits[split].file_instructions
    except Exception as error:  # TFDS raises several types for a split that it cannot parse
        raise ValueError(
            f"cannot read {split!r} as a part of a split; write it as train, train[:80%] or"
            " train[100:200]"
        ) from error
    if builder.info.file_format == tfds.core.FileFormat.TFRECORD:
        return TFRecords(instructions)
    raw = tfds.decode.DeserializeMethod.RAW_BYTES
    try:
        records = builder.as_data_source(split, deserialize_method=raw).data_source
        len(records)
    except NotImplementedError as error:
        raise ValueError(
            f"{name!r} is prepared in the format {builder.info.file_format.value}, which cannot be"
            " read at random; give another --data_dir to prepare it in as array_record"
        ) from error
    except Exception as error:
        raise _damaged(builder, name, error) from error
    return records


class TFRecords:
    """Random access to TFRECORD files, without TensorFlow.

    Args:
        instructions: of TFDS; each names a file and which of its examples to read.
    """

    def __init__(self, instructions: Sequence[Any]) -> None:
        self._files = list(instructions)
        self._ends = np.cumsum([file.take for file in self._files])

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getitems__(self, indices: Sequence[int]) -> list[bytes]:
        """The records with these numbers, in this order."""
        return [self._read(index) for index in indices]

    def _read(self, index: int) -> bytes:
        number = int(np.searchsorted(self._ends, index, side="right"))
        file = self._files[number]
        within = file.skip + index - int(self._ends[number]) + file.take
        spans = record_spans(os.fspath(file.filename))
        if len(spans) != file.examples_in_shard:
            raise ValueError(
                f"the TFRECORD file {str(file.filename)!r} holds {len(spans)} records, not"
                f" {file.examples_in_shard}; prepare it again"
            )
        start, length = spans[within]
        with open(file.filename, "rb") as content:
            content.seek(start)
            return content.read(length)


@cache
def record_spans(path: str) -> Int[np.ndarray, "records 2"]:
    """The start and the length of each record in a TFRECORD file, in bytes.

    A record consists of its length (8 bytes, little-endian), a checksum of the length (4 bytes),
    the content, and a checksum of the content (4 bytes).

    Raises:
        ValueError: if the file ends within a record.
    """
    spans, position, size = [], 0, os.path.getsize(path)
    with open(path, "rb") as file:
        while position < size:
            file.seek(position)
            header = file.read(12)
            length = struct.unpack("<Q", header[:8])[0] if len(header) == 12 else size
            spans.append((position + 12, length))
            position += 12 + length + 4
    if position != size:
        raise ValueError(f"the TFRECORD file {path!r} is cut off or damaged; prepare it again")
    return np.array(spans, np.int64).reshape(-1, 2)


def _damaged(builder: Any, name: str, error: Exception) -> ValueError:
    reason = in_one_line(error, most=200)
    return ValueError(
        f"the files of {name!r} in {builder.data_path} are damaged ({reason}); delete that folder"
        " to prepare them again"
    )
