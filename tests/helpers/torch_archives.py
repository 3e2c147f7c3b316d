"""Files in the formats of `torch.save`, made by hand, so that they can lie."""

import io
import pickle
import struct
import zipfile

MAGIC = 0x1950A86A20F9469CFC6C


def zipped(data, storages=(), folder="archive", method=zipfile.ZIP_STORED, **more):
    """The zip format: a pickle and the bytes of its storages by key."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr(f"{folder}/data.pkl", data)
        for key, content in dict(storages).items():
            archive.writestr(f"{folder}/data/{key}", content)
        for name, content in more.items():
            archive.writestr(f"{folder}/{name}", content)
    return buffer.getvalue()


def legacy(data, storages=(), size=4):
    """The older format: storages by key as bytes, with elements of `size` bytes."""
    machine = {"protocol_version": 1001, "little_endian": True}
    heads = b"".join(pickle.dumps(each, 2) for each in (MAGIC, 1001, machine))
    keys = pickle.dumps(list(dict(storages)), 2)
    pieces = (struct.pack("<q", len(c) // size) + c for c in dict(storages).values())
    return heads + data + keys + b"".join(pieces)


def text(string):
    """The instruction that pushes a string."""
    return b"X" + struct.pack("<I", len(string)) + string.encode()


def name(full):
    """The instruction that pushes what `module.name` stands for."""
    module, _, last = full.rpartition(".")
    return f"c{module}\n{last}\n".encode()


def number(value):
    """The instruction that pushes a whole number."""
    return b"\x8a" + bytes([9]) + value.to_bytes(9, "little", signed=True)


def numbers(values):
    """The instructions that push a tuple of whole numbers."""
    return b"(" + b"".join(map(number, values)) + b"t"


def storage(key="0", count=4, kind="torch.FloatStorage", more=b""):
    """The instructions that push a storage."""
    return (
        b"(" + text("storage") + name(kind) + text(key) + text("cpu") + number(count) + more + b"tQ"
    )


def tensor(shape=(4,), strides=(1,), offset=0, place=None):
    """The instructions that push a tensor."""
    view = (place or storage()) + number(offset) + numbers(shape) + numbers(strides)
    return name("torch._utils._rebuild_tensor_v2") + b"(" + view + b"\x89}tR"


def pickled(**entries):
    """The pickle of a dict of which the values are given as instructions."""
    return b"\x80\x02}(" + b"".join(text(k) + v for k, v in entries.items()) + b"u."
