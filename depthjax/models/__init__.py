"""Networks that expose every intermediate activation, by torchvision's names and numbers."""

from depthjax.models.catalogue import MODELS, OWN_MODELS, build_model
from depthjax.models.initialization import init_variables
from depthjax.models.invertible import IRevNet, invert_activations
from depthjax.models.mlp import MLP
from depthjax.models.network import Network, layer_names, resolve
from depthjax.models.resnet import ResNet
from depthjax.models.vgg import VGG

__all__ = [
    "MLP",
    "MODELS",
    "OWN_MODELS",
    "VGG",
    "IRevNet",
    "Network",
    "ResNet",
    "build_model",
    "init_variables",
    "invert_activations",
    "layer_names",
    "resolve",
]
