"""depthjax: what does this layer of a vision model still know about its input?

Everything after the model takes one contract, `layer(variables, images) -> embedding`, with images
float `[B, H, W, C]` in [0, 1] and weights always as arguments.
"""

from depthjax.folders.inversions import Run, load_run
from depthjax.importing import from_torch, load_network, load_onnx, save_network
from depthjax.inversion.autoencoding import Autoencoding, autoencode
from depthjax.inversion.config import InversionConfig
from depthjax.inversion.invert import initial_images, invert
from depthjax.inversion.memory import fitting_batch
from depthjax.inversion.metrics import Measurement, measure
from depthjax.inversion.results import Inversion
from depthjax.inversion.step_scale import step_scale
from depthjax.models import MODELS, build_model, init_variables, layer_names
from depthjax.models.checking import check_layer
from depthjax.models.functions import as_network
from depthjax.models.layers import Layer, select_layers
from depthjax.models.named import NamedLayer, named_layers
from depthjax.weights import load_weights, save_weights, to_torch_state_dict

__all__ = [
    "MODELS",
    "Autoencoding",
    "Inversion",
    "InversionConfig",
    "Layer",
    "Measurement",
    "NamedLayer",
    "Run",
    "as_network",
    "autoencode",
    "build_model",
    "check_layer",
    "fitting_batch",
    "from_torch",
    "init_variables",
    "initial_images",
    "invert",
    "layer_names",
    "load_network",
    "load_onnx",
    "load_run",
    "load_weights",
    "measure",
    "named_layers",
    "save_network",
    "save_weights",
    "select_layers",
    "step_scale",
    "to_torch_state_dict",
]
__version__ = "0.1.0"
