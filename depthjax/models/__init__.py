"""Networks that expose every intermediate activation, with torchvision's or timm's names."""

from depthjax.models.catalogue import (
    MODELS,
    OWN_MODELS,
    TIMM_MODELS,
    TORCHVISION_MODELS,
    build_model,
)
from depthjax.models.convnext import ConvNeXt
from depthjax.models.efficientnet_lite import EfficientNetLite
from depthjax.models.initialization import init_variables
from depthjax.models.invertible import IRevNet, invert_activations
from depthjax.models.mlp import MLP
from depthjax.models.network import Network, layer_names, resolve
from depthjax.models.resnet import ResNet
from depthjax.models.vgg import VGG
from depthjax.models.vit import ViT

__all__ = [
    "MLP",
    "MODELS",
    "OWN_MODELS",
    "TIMM_MODELS",
    "TORCHVISION_MODELS",
    "VGG",
    "ConvNeXt",
    "EfficientNetLite",
    "IRevNet",
    "Network",
    "ResNet",
    "ViT",
    "build_model",
    "init_variables",
    "invert_activations",
    "layer_names",
    "resolve",
]
