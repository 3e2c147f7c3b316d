"""Architectures by name."""

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, get_args

from depthjax.errors import one_of, unknown
from depthjax.models.convnext import ConvNeXt
from depthjax.models.efficientnet_lite import EfficientNetLite, scaled
from depthjax.models.invertible import IRevNet
from depthjax.models.mlp import MLP
from depthjax.models.network import Network, graph_of
from depthjax.models.resnet import ResNet
from depthjax.models.specifications import Specified, is_specification, specified
from depthjax.models.vgg import VGG
from depthjax.models.vit import ViT

_bottleneck = partial(ResNet, block="bottleneck")

_LITE_FACTORS = ((1.0, 1.0), (1.0, 1.1), (1.1, 1.2), (1.2, 1.4), (1.4, 1.8))

_VGG_STAGES = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}

# For images of 32×32. One head for every task, as torchvision's has 1000 classes in the paper, so
# that networks trained on different data share all their initial weights.
_SMALL: dict[str, Any] = {"width": 8, "num_classes": 100}

_TIMM: dict[str, Callable[..., Network]] = {
    "efficientnet_lite0": partial(EfficientNetLite, origin="pytorch"),
    **{
        f"tf_efficientnet_lite{n}": partial(EfficientNetLite, **scaled(*factors))
        for n, factors in enumerate(_LITE_FACTORS)
    },
    "convnext_tiny": ConvNeXt,
    "convnext_small": partial(ConvNeXt, stage_sizes=(3, 3, 27, 3)),
    "convnext_base": partial(ConvNeXt, stage_sizes=(3, 3, 27, 3), widths=(128, 256, 512, 1024)),
    "vit_tiny_patch16_224": ViT,
    "vit_small_patch16_224": partial(ViT, width=384, heads=6),
    "vit_base_patch16_224": partial(ViT, width=768, heads=12),
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
    **_TIMM,
    # Yahoo's OpenNSFW (2016): the network of He et al. with half as wide bottlenecks.
    "resnet50_thin": partial(
        _bottleneck,
        stage_sizes=(3, 4, 6, 3),
        width_per_group=32,
        expansion=2,
        origin="caffe",
        num_classes=2,
    ),
    "mlp": MLP,
    "irevnet": IRevNet,
    "resnet18_small": partial(ResNet, stage_sizes=(2, 2, 2, 2), stem="small", **_SMALL),
    "vgg_small": partial(
        VGG,
        stage_sizes=(1, 1, 1, 1, 1),
        batch_norm=True,
        hidden=64,
        pooled_size=1,
        dropout=False,
        **_SMALL,
    ),
}
"""Every architecture by torchvision's name, by timm's (`TIMM_MODELS`) or by ours (`OWN_MODELS`), as
a function of its fields."""

TIMM_MODELS = tuple(_TIMM)
"""The architectures with timm's names and layers."""

OWN_MODELS = ("resnet50_thin", "mlp", "irevnet", "resnet18_small", "vgg_small")
"""The architectures that neither torchvision nor timm has a counterpart of."""

TORCHVISION_MODELS = tuple(n for n in MODELS if n not in (*TIMM_MODELS, *OWN_MODELS))
"""The architectures with torchvision's names and layers."""


def build_model(name: str, /, **fields: Any) -> Network:
    """A model by name; it is hashable and compares by value.

    Args:
        name: one of `MODELS`; `package.module:function`: what that function returns when called
            with the fields; `onnx:FILE`, `timm:NAME`, `torchvision:NAME`; or a folder of
            `save_network`.
        fields: replace the fields of the architecture (`num_classes=10`, `width=16`,
            `stem="small"`, `widths=(2000, 2000)`).

    Raises:
        ValueError: for an unknown name or field, with the nearest ones.
    """
    return find_model(name, fields).model


def find_model(name: str, fields: Mapping[str, Any]) -> Specified:
    """A model by name, with what is known of its weights.

    Args:
        name, fields: as in `build_model`.

    Raises:
        ValueError: as `build_model`.
    """
    if is_specification(name):
        return specified(name, fields)
    if name not in MODELS:
        hint = "or timm:NAME, torchvision:NAME, onnx:FILE, FOLDER/, package.module:function"
        raise unknown("model", name, MODELS, hint=hint)
    architecture = type(MODELS[name]())
    model = MODELS[name](
        **{field: _checked(name, architecture, field, value) for field, value in fields.items()}
    )
    graph_of(model)  # fields that do not go together end here
    return Specified(model, name)


def _checked(name: str, architecture: type[Network], field: str, value: Any) -> Any:
    """The value of a field, if the architecture has it and it is of the right kind."""
    known = {f.name: f for f in dataclasses.fields(architecture) if f.name not in _FLAX_FIELDS}
    if field not in known:
        raise unknown(f"field of {name}", field, known)
    choices = get_args(known[field].type)
    default = known[field].default
    if isinstance(default, str):
        return one_of(f"{field} of {name}", value, choices)
    if isinstance(default, tuple):
        # Lists come from JSON and lone numbers from flags; only tuples hash.
        value = tuple(value) if isinstance(value, list | tuple) else (value,)
    numbers = value if isinstance(default, tuple) else (value,)
    wanted = bool if isinstance(default, bool) else int
    if not numbers or not all(type(n) is wanted and n >= (wanted is int) for n in numbers):
        raise ValueError(f"{field} of {name} must be like {default!r}, got {value!r}")
    return value


_FLAX_FIELDS = ("parent", "name")
