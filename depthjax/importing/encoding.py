"""Operations and graphs as plain data (JSON) and back, without running anything that is read.

    {"operation": "flax.Dense", "features": 10}     settings that differ from their defaults
    {"constant": "7d1c…"}                           an array, kept elsewhere under its hash
    [3, 3], 0.5, {"number": "inf"}, true, null      tuples, numbers and the rest

Only operations that `depthjax.models.operations` describes can be written or read.
"""

import dataclasses
import hashlib
import math
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import numpy as np

from depthjax.errors import one_of
from depthjax.models.operations.description import described_operations
from depthjax.models.operations.parameter import Constant, constant

Keep = Callable[[str, np.ndarray], None]


def array_sha256(array: np.ndarray) -> str:
    """A hash of an array's numbers, shape and dtype."""
    digest = hashlib.sha256(f"{array.dtype.name} {array.shape}".encode())
    digest.update(array.tobytes())
    return digest.hexdigest()


def encoded(value: Any, keep: Keep = lambda *_: None) -> Any:
    """A graph, an operation, or a setting of one, as JSON has it.

    Args:
        value: the value.
        keep: told each constant, after its hash.

    Raises:
        ValueError: for an operation or a setting that cannot be read back.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, np.bool_ | np.integer | np.floating):
        return encoded(value.item(), keep)
    if isinstance(value, float):
        return value if math.isfinite(value) else {"number": str(value)}
    if isinstance(value, tuple | list):
        return [encoded(part, keep) for part in value]
    if isinstance(value, Constant):
        name = array_sha256(value.array)
        keep(name, value.array)
        return {"constant": name}
    for name, known in described_operations().items():
        if value is known:
            return {"operation": name}
        if type(value) is known:
            return {"operation": name, **_settings(value, keep)}
    if dataclasses.is_dataclass(value):
        return {f.name: encoded(getattr(value, f.name), keep) for f in dataclasses.fields(value)}
    raise ValueError(
        f"{value!r:.80} is no operation of depthjax.models.operations, nor a setting that can be"
        " written as data"
    )


def _settings(operation: Any, keep: Keep) -> dict[str, Any]:
    """The fields of an operation that differ from their defaults."""
    flaxs = ("parent", "name") if isinstance(operation, nn.Module) else ()
    return {
        field.name: encoded(value, keep)
        for field in dataclasses.fields(operation)
        if field.name not in flaxs
        and (value := getattr(operation, field.name)) is not field.default
        and not (type(value) is type(field.default) and value == field.default)
    }


def decoded(data: Any, constants: Mapping[str, np.ndarray]) -> Any:
    """An operation or a setting back from `encoded`.

    Args:
        data: from JSON.
        constants: by their hashes.

    Raises:
        ValueError: for an operation that does not exist here, or that does not take its settings,
            and for a constant that is not among `constants`.
    """
    if isinstance(data, list):
        return tuple(decoded(part, constants) for part in data)
    if not isinstance(data, dict):
        return data
    if "number" in data:
        return float(data["number"])
    if "constant" in data:
        return constant(constants[one_of("constant", data["constant"], constants)])
    settings = {name: decoded(value, constants) for name, value in data.items()}
    known = described_operations()
    name = one_of("operation", settings.pop("operation", ""), known)
    if not isinstance(known[name], type):
        return known[name]
    try:
        more = {"parent": None} if issubclass(known[name], nn.Module) else {}
        return known[name](**settings, **more)
    except TypeError as error:
        raise ValueError(f"the operation {name} does not take its settings: {error}") from error
