"""What makes a descent the same as another: its settings, with the code of functions among them.

`repr` will not do: a function prints with its address, which another process does not have, and two
lambdas of a module print alike.
"""

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping
from functools import partial, singledispatch
from types import CodeType, FunctionType
from typing import Any

import jax
import numpy as np

from depthjax.inversion.config import InversionConfig
from depthjax.inversion.terms import Sum
from depthjax.models.references import reference_to


def digest_of(config: InversionConfig, arrays: Iterable[Any]) -> str:
    """A SHA-256 that is another one, and the same in every process, if the descent is.

    Args:
        config: its settings; functions among them count with their code and all that they hold.
        arrays: everything else that defines it.
    """
    digest = hashlib.sha256()
    fields = [(field.name, getattr(config, field.name)) for field in dataclasses.fields(config)]
    digest.update(_told(fields).encode())
    for array in arrays:
        digest.update(_told(np.asarray(array)).encode())
    return digest.hexdigest()


@singledispatch
def _told(value: Any) -> str:
    """A value in text; of objects that nothing is known of, their kind alone."""
    if hasattr(value, "__wrapped__"):  # of `jax.jit`
        return _told(value.__wrapped__)
    unnamed = type(value).__repr__ is object.__repr__
    return reference_to(value) if callable(value) or unnamed else repr(value)


@_told.register(list | tuple)
def _(value: Any) -> str:
    return f"[{', '.join(map(_told, value))}]"


@_told.register(set | frozenset)
def _(value: Any) -> str:
    return _told(sorted(map(_told, value)))


@_told.register
def _(value: Mapping) -> str:
    return _told(sorted(value.items()))


@_told.register(jax.Array | np.ndarray)
def _(value: Any) -> str:
    array = np.ascontiguousarray(value)
    return f"{array.dtype} {array.shape} {hashlib.sha256(array.tobytes()).hexdigest()}"


@_told.register
def _(value: Sum) -> str:
    return _told(value.terms)


@_told.register
def _(value: partial) -> str:
    return _told([value.func, value.args, value.keywords])


@_told.register
def _(value: FunctionType) -> str:
    held = [cell.cell_contents for cell in value.__closure__ or ()]
    # Two functions may hold each other.
    held = [getattr(one, "__code__", one) for one in held]
    defaults = [value.__defaults__, value.__kwdefaults__]
    return _told([value.__module__, value.__qualname__, value.__code__, defaults, held])


@_told.register
def _(value: CodeType) -> str:
    return _told([value.co_code.hex(), value.co_names, value.co_consts])
