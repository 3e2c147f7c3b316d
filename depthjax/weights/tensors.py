"""Tensors in pickles of PyTorch: the constructors that a pickle may call, and nothing else.

A tensor is a view (offset, shape, strides, in elements) of a storage, whose bytes are not in the
pickle. The names and their arguments are those of `torch/_utils.py` of PyTorch 2.13.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Shaped

from depthjax.weights.pickles import Constructor, Unread, call, fill

_MOST_AXES = 64  # of NumPy's arrays

_DTYPES: dict[str, tuple[str, Any]] = {  # torch's dtype -> its storage's name, NumPy's
    "float64": ("Double", np.float64),
    "float32": ("Float", np.float32),
    "float16": ("Half", np.float16),
    "bfloat16": ("BFloat16", jnp.bfloat16),
    "int64": ("Long", np.int64),
    "int32": ("Int", np.int32),
    "int16": ("Short", np.int16),
    "int8": ("Char", np.int8),
    "uint8": ("Byte", np.uint8),
    "bool": ("Bool", np.bool_),
    "complex128": ("ComplexDouble", np.complex128),
    "complex64": ("ComplexFloat", np.complex64),
    "uint16": ("", np.uint16),  # only in untyped storages
    "uint32": ("", np.uint32),
    "uint64": ("", np.uint64),
}


@dataclass
class Storage:
    """Bytes of the file: `nbytes` of them, which `read` gives."""

    dtype: np.dtype
    nbytes: int
    read: Callable[[], bytes]

    @cached_property
    def content(self) -> bytes:
        """The bytes, read once."""
        return self.read()


@dataclass(frozen=True)
class Tensor:
    """A view of a storage, checked to lie within it; `array` reads the file."""

    storage: Storage
    dtype: np.dtype
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.shape) != len(self.strides) or len(self.shape) > _MOST_AXES:
            raise ValueError("a tensor has another number of strides than of axes")
        numbers = (self.offset, *self.shape, *self.strides)
        if not all(type(number) is int and number >= 0 for number in numbers):
            raise ValueError("a tensor has a shape, strides or an offset that are no whole numbers")
        if 0 in self.shape:
            return
        steps = ((n - 1) * step for n, step in zip(self.shape, self.strides, strict=True))
        if (self.offset + sum(steps) + 1) * self.dtype.itemsize > self.storage.nbytes:
            raise ValueError("a tensor is larger than the storage that it lies in")

    def array(self) -> Shaped[np.ndarray, "..."]:
        """The tensor as a read-only array, of the storage's memory."""
        size = self.dtype.itemsize
        if 0 in self.shape:
            return np.zeros(self.shape, self.dtype)
        # A stride that is never taken may be any number, but not for NumPy.
        strides = tuple(
            step * size * (n > 1) for n, step in zip(self.shape, self.strides, strict=True)
        )
        return np.ndarray(self.shape, self.dtype, self.storage.content, self.offset * size, strides)

    def takes_state(self, state: Any) -> bool:
        """Whether a state that a pickle gives it leaves it as it is (flags and hooks)."""
        return type(state) is tuple and len(state) == 3


# What a pickle may call; all arguments come from the file.


def _tensor(
    storage: Any, offset: Any, shape: Any, strides: Any, *rest: Any, dtype: Any = None
) -> Tensor | Unread:
    """`torch._utils._rebuild_tensor_v2`: requires_grad, hooks and metadata may follow."""
    if isinstance(storage, Unread):
        return Unread(f"a tensor in {storage.name[:80]}")
    if not isinstance(storage, Storage) or type(shape) is not tuple or type(strides) is not tuple:
        raise ValueError("a tensor has no storage or no shape")
    if len(rest) > 2 and rest[2]:  # a view with its sign or its imaginary part turned
        return Unread("a conjugate or negative view")
    return Tensor(storage, dtype or storage.dtype, offset, shape, strides)


def _tensor_of(
    storage: Any, offset: Any, shape: Any, strides: Any, grad: Any, hooks: Any, dtype: Any,
    *metadata: Any,
) -> Tensor | Unread:  # fmt: skip
    """`torch._utils._rebuild_tensor_v3`: of an untyped storage."""
    if isinstance(dtype, Unread):
        return Unread(f"a tensor of {dtype.name[:80]}")
    if not isinstance(dtype, np.dtype):
        raise ValueError("a tensor has no dtype")
    return _tensor(storage, offset, shape, strides, grad, hooks, *metadata, dtype=dtype)


def _parameter(data: Any = None, *_: Any) -> Any:
    """A parameter is its tensor, which in PyTorch's first files comes later and is not read."""
    if data is None:
        return Unread("torch.nn.Parameter without data")
    if not isinstance(data, Tensor | Unread):
        raise ValueError("a parameter holds no tensor")
    return data


def _of_type(function: Any, _: Any, arguments: Any, *__: Any) -> Any:
    """`torch._tensor._rebuild_from_type_v2`: a tensor with attributes, or of another class."""
    if isinstance(function, Constructor) and function.make is _of_type:  # without end
        raise ValueError("a tensor is made in a circle")
    return call(function, arguments)


def _size(axes: Any = ()) -> tuple[Any, ...]:
    if type(axes) not in (tuple, list) or len(axes) > _MOST_AXES:
        raise ValueError("a size is no tuple of sizes")
    return tuple(axes)


def _ordered_dict(pairs: Any = ()) -> dict[Any, Any]:
    """`collections.OrderedDict`, whose entries come as pairs from Python 2."""
    if pairs == ():
        return {}
    if type(pairs) is not list or not all(
        type(pair) in (list, tuple) and len(pair) == 2 for pair in pairs
    ):
        raise ValueError("an OrderedDict holds no pairs")
    entries = fill({}, pairs)
    pairs.clear()  # else a few bytes of the file could copy a long list again and again
    return entries


def _default_dict(*_: Any) -> dict[Any, Any]:
    """`collections.defaultdict`, which is filled afterwards."""
    return {}


KNOWN: dict[str, Any] = {  # see `unpickle`
    **{f"torch.{name}": np.dtype(dtype) for name, (_, dtype) in _DTYPES.items()},
    **{f"torch.{name}Storage": np.dtype(dtype) for name, dtype in _DTYPES.values() if name},
    "torch.UntypedStorage": np.dtype(np.uint8),
    "torch.storage.UntypedStorage": np.dtype(np.uint8),
    "torch.Size": Constructor(_size),
    "torch._utils._rebuild_tensor": Constructor(_tensor),
    "torch._utils._rebuild_tensor_v2": Constructor(_tensor),
    "torch._utils._rebuild_tensor_v3": Constructor(_tensor_of),
    "torch._utils._rebuild_parameter": Constructor(_parameter),
    "torch._utils._rebuild_parameter_with_state": Constructor(_parameter),
    "torch.nn.parameter.Parameter": Constructor(_parameter),
    "torch._tensor._rebuild_from_type_v2": Constructor(_of_type),
    "collections.OrderedDict": Constructor(_ordered_dict),
    "collections.defaultdict": Constructor(_default_dict),
}
