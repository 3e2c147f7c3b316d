"""The files of `torch.save`, in its zip format and in the one before it, without PyTorch.

Both hold a pickle and the storages of its tensors: as entries of the zip archive, or behind the
pickles of the file. What is described here follows `torch/serialization.py` of PyTorch 2.13.
"""

import io
import os
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, BinaryIO

import numpy as np

from depthjax.weights.pickles import Unread, unpickle
from depthjax.weights.tensors import KNOWN, Storage

_ZIP = b"PK\x03\x04"
_MAGIC = 0x1950A86A20F9469CFC6C  # the first object of the older format
_LEGACY = _MAGIC.to_bytes(10, "little")
_VERSION = 1001  # of the older format, the second object
_MOST_TABLE = 1 << 24  # bytes of an archive's table of entries: Python's of it is 15 times as large


def is_torch_file(start: bytes) -> bool:
    """Whether a file that begins so is one of `torch.save`."""
    return start.startswith(_ZIP) or (start.startswith(b"\x80") and _LEGACY in start[:32])


@contextmanager
def open_torch_file(path: str | os.PathLike[str]) -> Iterator[Any]:
    """The object in a file of `torch.save`, as containers of `Tensor`s, which can be read within.

    Raises:
        ValueError: for a damaged file, and one that claims to hold more than it does.
        PickledCode: for a file that would run code.
        OSError, zipfile.BadZipFile: for a file that cannot be read.
    """
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        bounded: Any = _Bounded(file, size)
        if file.read(4) == _ZIP:
            bounded.most = _MOST_TABLE
            with zipfile.ZipFile(bounded) as archive:
                bounded.most = size
                yield _Archive(archive, size).content()
        else:
            file.seek(0)
            yield _legacy_content(bounded, size)


class _Bounded:
    """A file of which no more is asked than it has: Python makes room before it reads."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file, self.size, self.most = file, size, size
        self.seek, self.tell, self.readline = file.seek, file.tell, file.readline

    def seekable(self) -> bool:
        return True

    def read(self, count: int = -1) -> bytes:
        left = max(0, self.size - self.file.tell())
        count = left if count < 0 else min(count, left)
        if count > self.most:
            raise ValueError(f"its table of entries has {count} bytes")
        return self.file.read(count)


class OtherKind(ValueError):
    """A file that may be whole, but is none of `torch.save`.

    Fields:
        way_out: what to do.
    """

    def __init__(self, message: str, way_out: str) -> None:
        super().__init__(message)
        self.way_out = way_out


def _other_kind(entries: Iterable[str]) -> OtherKind:
    if any(name.endswith(".npy") for name in entries):
        return OtherKind(
            "it is an archive of NumPy",
            "load_weights takes its arrays as a dict, dict(numpy.load(…)), if they have PyTorch's"
            " names; of Google's ViTs timm has copies, hf://timm/…augreg…",
        )
    return OtherKind("it is a zip archive, but not one of torch.save", "unpack it, or get it again")


class _Archive:
    """The zip format: `NAME/data.pkl`, `NAME/data/KEY` for each storage, stored as they are."""

    def __init__(self, archive: zipfile.ZipFile, size: int) -> None:
        self.archive = archive
        self.entries = {entry.filename: entry for entry in archive.infolist()}
        names = [name for name in self.entries if name.split("/")[1:] == ["data.pkl"]]
        if len(names) != 1:
            raise _other_kind(self.entries)
        self.folder = names[0].removesuffix("data.pkl")
        if f"{self.folder}constants.pkl" in self.entries:
            raise OtherKind(
                "it is a TorchScript program, not a file of torch.save",
                "save torch.jit.load(…).state_dict()",
            )
        # Only now: other archives may well be compressed, as TorchScript's code is.
        if sum(entry.file_size for entry in archive.infolist()) > size:
            raise ValueError("its entries are larger than the file: they are compressed or overlap")
        self.storages: dict[str, Storage] = {}

    def content(self) -> Any:
        order = f"{self.folder}byteorder"
        if order in self.entries and self.read(self.entries[order]) != b"little":
            raise ValueError("it was written on a machine with another order of bytes")
        pickle = io.BytesIO(self.read(self.entries[f"{self.folder}data.pkl"]))
        return unpickle(pickle, KNOWN, self.persistent)

    def read(self, entry: zipfile.ZipInfo) -> bytes:
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
            raise ValueError(f"its entry {entry.filename[:80]!a} is compressed or encrypted")
        return self.archive.read(entry)

    def persistent(self, identifier: Any) -> Storage | Unread:
        if type(identifier) is tuple and len(identifier) == 5 and type(identifier[1]) is Unread:
            return identifier[1]  # of a dtype that NumPy lacks
        dtype, key, count = _storage_claim(identifier, 5)
        if key not in self.storages:
            entry = self.entries.get(f"{self.folder}data/{key}")
            if entry is None:
                raise ValueError(f"it lacks the storage {key[:80]!a}")
            self.storages[key] = Storage(dtype, entry.file_size, partial(self.read, entry))
        if self.storages[key].dtype != dtype or count * dtype.itemsize > self.storages[key].nbytes:
            raise ValueError("a storage has two types, or is larger than its entry in the archive")
        return self.storages[key]


def _legacy_content(file: Any, size: int) -> Any:
    """The older format: magic number, version, machine, the object, keys, storages."""
    magic, version, machine = (unpickle(file, {}) for _ in range(3))
    if (magic, version) != (_MAGIC, _VERSION) or not isinstance(machine, dict):
        raise ValueError("it is of an unknown version of torch's format")
    if machine.get("little_endian") is not True:
        raise ValueError("it was written on a machine with another order of bytes")
    storages: dict[str, Storage] = {}

    def persistent(identifier: Any) -> Any:
        if type(identifier) is tuple and identifier[:1] == ("module",) and len(identifier) > 1:
            return identifier[1]
        dtype, key, count = _storage_claim(identifier, 6)
        if identifier[5] is not None:
            raise ValueError("a storage is a view of another")
        if key not in storages:
            storages[key] = Storage(dtype, count * dtype.itemsize, bytes)
        if (dtype, count * dtype.itemsize) != (storages[key].dtype, storages[key].nbytes):
            raise ValueError("a storage has two types or sizes")
        return storages[key]

    content = unpickle(file, KNOWN, persistent)
    keys = unpickle(file, {})
    known = isinstance(keys, list) and all(type(key) is str for key in keys)
    if not known or sorted(keys) != sorted(storages):
        raise ValueError("its storages are not those of its tensors")
    for key in keys:
        storage = storages[key]
        count = int.from_bytes(file.read(8), "little")
        start = file.tell()
        if count * storage.dtype.itemsize != storage.nbytes or start + storage.nbytes > size:
            raise ValueError("it ends before its last tensor")
        storage.read = partial(_piece, file, start, storage.nbytes)
        file.seek(start + storage.nbytes)
    return content


def _piece(file: Any, start: int, nbytes: int) -> bytes:
    file.seek(start)
    return file.read(nbytes)


def _storage_claim(identifier: Any, length: int) -> tuple[np.dtype, str, int]:
    """dtype, key and number of elements of `("storage", dtype, key, device, count, …)`."""
    if type(identifier) is tuple and len(identifier) == length and identifier[0] == "storage":
        _, dtype, key, _, count = identifier[:5]
        if isinstance(dtype, Unread):
            raise ValueError(f"it has a {dtype.name[:80]!a}, which NumPy cannot read")
        if isinstance(dtype, np.dtype) and type(key) is str and type(count) is int and count >= 0:
            return dtype, key, count
    raise ValueError("its pickle asks for what is no storage")
