"""Reading of state dicts from files: arrays by name, without running any code from the file."""

import os
import re
import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from depthjax.weights.pickles import PickledCode, Unread
from depthjax.weights.tensors import Tensor
from depthjax.weights.torch_files import OtherKind, is_torch_file, open_torch_file

StateDict = dict[str, np.ndarray]

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".ckpt", ".pth.tar")
"""The usual names of files of weights; what a file is, its first bytes say."""
_DEEPEST, _LONGEST, _MOST = 8, 300, 100_000  # nested dicts, letters of a key, tensors
_OPTIMIZER = "optimizer"  # how keys of dicts begin that hold moments: more copies of the network
_HTML, _LFS = (b"<", b"version https://git-lfs")


def read_state_dict(
    path: str | os.PathLike[str], *, only: Callable[[str], bool] | None = None
) -> StateDict:
    """The arrays of a file of weights, in PyTorch's layout, with the dtypes of the file.

    The file is one of safetensors or of `torch.save`, whatever its name; PyTorch is not needed. Of
    a checkpoint all tensors but the optimiser's are read, those of nested dicts under dotted names:
    `state_dict.conv1.weight`.

    Args:
        path: of the file.
        only: whether an array of this name is read; there may then be none.

    Raises:
        ValueError: in one line, for another kind of file, a damaged file, or pickled code.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{str(path)!r} is no file; give the path of a file of weights")
    read = _read_torch if is_torch_file(_start(path)) else _read_safetensors
    state = read(path, only or (lambda _: True))
    if not state and only is None:
        raise ValueError(f"{path.name} holds no arrays; save the model's state_dict()")
    return state


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata of a safetensors file; empty if there are none."""
    if is_torch_file(_start(path)):
        return {}
    with _open_safetensors(path) as file:
        return file.metadata() or {}


def flatten(content: Any) -> dict[str, Any]:
    """What nested dicts hold, under dotted names; an optimiser's state is left out.

    Raises:
        ValueError: for too many entries, and dicts too deep or with keys too long to be names.
    """
    entries: dict[str, Any] = {}
    seen: set[int] = set()  # a dict may lie in itself
    inner = [("", 0, content)] if isinstance(content, Mapping) else []
    while inner:
        path, depth, holder = inner.pop()
        for key, value in holder.items():
            name = f"{path}{key}" if type(key) in (str, int) else ""
            if isinstance(value, Mapping):
                moments = depth == 0 and name.startswith(_OPTIMIZER)
                if id(value) not in seen and not moments:
                    seen.add(id(value))
                    _check_name(name, depth)
                    inner.append((f"{name}.", depth + 1, value))
            elif name and not isinstance(value, str | bytes | int | float | list | tuple | None):
                _check_name(name, depth)
                entries[name] = value
        if len(entries) > _MOST:
            raise ValueError(f"it has more than {_MOST} entries")
    return entries


def _check_name(name: str, depth: int) -> None:
    if depth >= _DEEPEST or len(name) > _LONGEST or not name.isprintable():
        raise ValueError(f"{name[:80]!a} is not the name of a tensor")


def _read_safetensors(path: Path, only: Callable[[str], bool]) -> StateDict:
    with _open_safetensors(path) as file:
        state = {}
        for name in filter(only, file.keys()):
            try:
                state[name] = file.get_tensor(name)
            except Exception as error:  # dtypes that NumPy lacks raise different errors
                kind = file.get_slice(name).get_dtype()
                raise ValueError(
                    f"{path.name} holds {name} as {kind}, which NumPy cannot read; save it as"
                    " float32"
                ) from error
        return state


def _open_safetensors(path: Path) -> Any:
    from safetensors import SafetensorError, safe_open

    try:
        return safe_open(path, framework="numpy")
    except (SafetensorError, OSError) as error:
        start = _start(path)
        raise _damaged(path, _of_flax(start) or what_it_is(start) or error) from error


def _of_flax(start: bytes) -> OtherKind | None:
    """A map of MessagePack whose first key is a short text, as `flax.serialization` writes it."""
    if not re.match(rb"([\x81-\x8f]|\xde..|\xdf....)[\xa1-\xbf]\w", start, re.DOTALL):
        return None
    return OtherKind(
        "it is MessagePack, as Flax writes it",
        "read it with flax.serialization.msgpack_restore, and pass its tree as variables",
    )


def what_it_is(start: bytes) -> str:
    """A file of another kind than the two that are read, or nothing."""
    if start.startswith(_LFS):
        return "it is Git LFS's pointer to the file (git lfs pull gets the file itself)"
    if start.lstrip().startswith(_HTML):
        return "it is a page of the web"
    if start[:1] == b"\x80" and start[1:2] < b"\x06":
        return "it is a pickle that torch.save did not write, and nothing else is ever unpickled"
    if not start:
        return "it is empty"
    return next((text for first, text in _OTHERS.items() if start.startswith(first)), "")


_OTHERS = {
    b"\x1f\x8b": "it is packed by gzip (gunzip it first)",
    b"BZh": "it is packed by bzip2 (bunzip2 it first)",
    b"\xfd7zXZ": "it is packed by xz (unxz it first)",
    b"\x89HDF": "it is HDF5, as Keras writes it (save the weights as safetensors)",
}
"""What files of other kinds begin with."""


def _read_torch(path: Path, only: Callable[[str], bool]) -> StateDict:
    try:
        with open_torch_file(path) as content:
            entries = flatten(content)
            tensors = {name: entry for name, entry in entries.items() if isinstance(entry, Tensor)}
            problem = _problem(content, entries, tensors)
            wanted = () if problem else filter(only, tensors)
            state = {name: tensors[name].array() for name in wanted}
    except PickledCode as error:
        problem = _code(str(error))
    except (
        *(ValueError, OSError, EOFError, OverflowError, zipfile.BadZipFile, struct.error),
        NotImplementedError,  # zipfile's, of what torch never writes
    ) as error:
        raise _damaged(path, error) from error
    if problem:
        raise ValueError(f"{path.name} {problem}")
    return state


def _problem(content: Any, entries: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """Why what was unpickled is no state dict that can be used; nothing if it is one."""
    unread = {name: entry.name for name, entry in entries.items() if isinstance(entry, Unread)}
    for name, kind in unread.items():
        if kind.startswith(("torch._utils.", "a ", "torch.nn.Parameter ")):
            return f"holds {name} as no dense tensor ({_shown(kind)}); save it dense, as float32"
    if tensors:
        return ""
    whole = content.name if isinstance(content, Unread) else next(iter(unread.values()), "")
    if whole:
        return _code(whole)
    kind = (
        (_some(content) or "nothing")
        if isinstance(content, Mapping)
        else f"a {type(content).__name__}"
    )
    return f"holds no state dict (names to tensors) but {kind}; save the model's state_dict()"


def _code(name: str) -> str:
    return (
        f"holds pickled code ({_shown(name)}), not only tensors, and is not"
        " loaded; save the model's state_dict() instead, best as .safetensors"
    )


def _damaged(path: Path, error: Exception | str) -> ValueError:
    size = path.stat().st_size if path.is_file() else 0
    reason = " ".join(str(error).split())[:160] or type(error).__name__
    if isinstance(error, OtherKind):
        return ValueError(f"{path.name} is no file of weights: {reason}; {error.way_out}")
    return ValueError(
        f"{path.name} ({size} bytes) is damaged or no file of weights: {reason}; get it again"
    )


def _start(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.read(64)


def _shown(name: str) -> str:
    """A name of a file, which may be anything, for a message of one line."""
    return name[:80].encode("unicode_escape").decode()


def _some(names: Any, most: int = 5) -> str:
    listed = [_shown(str(name)) for name in names]
    return ", ".join(listed[:most]) + (f", … ({len(listed)})" if len(listed) > most else "")
