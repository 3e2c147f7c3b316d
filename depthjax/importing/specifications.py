"""Imported networks by name: `timm:NAME`, `torchvision:NAME`, `onnx:FILE`, `saved:FOLDER`.

PyTorch and the package `onnx` are imported when such a name is looked up, not before.
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from depthjax.errors import one_of
from depthjax.models.specifications import SCHEMES, Fields, Specified, hashable_fields, refusing
from depthjax.weights.controls import has_trained_head


def _of_library(package: str, name: str, fields: Mapping[str, Any]) -> Specified:
    from depthjax.importing.torch.libraries import LIBRARIES

    return LIBRARIES[package].find(name, fields)


def _of_timm(name: str, fields: Mapping[str, Any]) -> Specified:
    return _of_library("timm", name, fields)


def _of_torchvision(name: str, fields: Mapping[str, Any]) -> Specified:
    return _of_library("torchvision", name, fields)


def _of_onnx(path: str, fields: Mapping[str, Any]) -> Specified:
    for name in fields:
        one_of(f"field of onnx:{path}", name, ("image_size", "until"))
    file = Path(path)
    written = file.stat().st_mtime_ns if file.is_file() else 0
    return _read_onnx(path, hashable_fields(fields), written)


@lru_cache(maxsize=2)  # an import takes seconds; `written` is part of the key alone
def _read_onnx(path: str, fields: Fields, written: int) -> Specified:
    from depthjax.importing.onnx import load_onnx

    name = f"onnx:{path}"
    try:
        model, variables = load_onnx(path, **dict(fields))
    except (ImportError, OSError) as error:
        raise ValueError(f"{name} cannot be read: {error}") from error
    return Specified(
        model,
        name,
        variables,
        origin={"source": name, "graph_sha256": model.content.digest},
        initialize=refusing(_UNDRAWN.format(name)),
    )


def _of_saved(folder: str, fields: Mapping[str, Any]) -> Specified:
    from depthjax.importing.saving import load_network

    for name in fields:
        raise ValueError(f"a saved network takes no fields, and {folder!r} is given {name}")
    saved = load_network(folder)
    weights = str(saved.origin.get("weights", {}).get("source", ""))
    return Specified(
        saved.model,
        f"saved:{folder}",
        saved.variables,
        has_trained_head=has_trained_head(weights),
        normalization=saved.normalization,
        origin={**saved.origin, "graph_sha256": saved.model.content.digest},
        initialize=refusing(_UNDRAWN.format(folder)),
    )


_UNDRAWN = (
    "how {} was initialised is not in its file, so it has no untrained weights; take pretrained"
    " ones, shuffled:pretrained as a control, or import it untrained from timm: or torchvision:"
)


SCHEMES.update(timm=_of_timm, torchvision=_of_torchvision, onnx=_of_onnx, saved=_of_saved)
