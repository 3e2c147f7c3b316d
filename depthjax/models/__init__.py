"""Networks that expose every intermediate activation, by torchvision's names and numbers."""

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

from depthjax.errors import unknown
from depthjax.models.initializers import init_variables
from depthjax.models.mlp import MLP
from depthjax.models.network import Network, layer_names, resolve
from depthjax.models.resnet import ResNet
from depthjax.models.vgg import VGG

__all__ = [
    "MLP",
    "MODELS",
    "VGG",
    "Network",
    "ResNet",
    "build_model",
    "init_variables",
    "layer_names",
    "resolve",
]

_bottleneck = partial(ResNet, block="bottleneck")
_VGG_STAGES = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}

MODELS: dict[str, Callable[..., Network]] = {
    "resnet18": partial(ResNet, stage_sizes=(2, 2, 2, 2)),
    "resnet34": partial(ResNet, stage_sizes=(3, 4, 6, 3)),
    "resnet50": partial(_bottleneck, stage_sizes=(3, 4, 6, 3)),
    "resnet101": partial(_bottleneck, stage_sizes=(3, 4, 23, 3)),
    "resnet152": partial(_bottleneck, stage_sizes=(3, 8, 36, 3)),
    "wide_resnet50_2": partial(_bottleneck, stage_sizes=(3, 4, 6, 3), width_per_group=128),
    "wide_resnet101_2": partial(_bottleneck, stage_sizes=(3, 4, 23, 3), width_per_group=128),
    "resnext50_32x4d": partial(_bottleneck, stage_sizes=(3, 4, 6, 3), groups=32, width_per_group=4),
    "resnext101_32x8d": partial(
        _bottleneck, stage_sizes=(3, 4, 23, 3), groups=32, width_per_group=8
    ),
    **{f"vgg{n}": partial(VGG, stage_sizes=sizes) for n, sizes in _VGG_STAGES.items()},
    **{
        f"vgg{n}_bn": partial(VGG, stage_sizes=sizes, batch_norm=True)
        for n, sizes in _VGG_STAGES.items()
    },
    "mlp": MLP,
}
"""Every architecture by torchvision's name (and `mlp`), as a function of its fields."""


def build_model(name: str, **fields: Any) -> Network:
    """A model by name; it is hashable and compares by value.

    Args:
        name: one of `MODELS`.
        fields: replace the fields of the architecture (`num_classes=10`, `width=16`,
            `stem="small"`, `widths=(2000, 2000)`).

    Raises:
        ValueError: for an unknown name or field, with the nearest ones.
    """
    if name not in MODELS:
        raise unknown("model", name, MODELS)
    cls = type(MODELS[name]())
    known = [f.name for f in dataclasses.fields(cls) if f.name not in ("parent", "name")]
    for field in fields:
        if field not in known:
            raise unknown(f"field of {name}", field, known)
    # Lists come from flags and JSON; only tuples hash.
    values = {key: tuple(v) if isinstance(v, list) else v for key, v in fields.items()}
    return MODELS[name](**values)
