from .analysis.metamers import metamer_test
from .folders.inversions import Run, load_run
from .importing import from_torch, load_network, load_onnx, save_network
from .inversion.autoencoding import Autoencoding, autoencode
from .inversion.config import InversionConfig
from .inversion.invert import initial_images, invert
from .inversion.memory import fitting_batch
from .inversion.metrics import Measurement, measure
from .inversion.parametrisations import Parametrisation
from .inversion.results import Inversion
from .inversion.step_scale import step_scale
from .inversion.terms import term
from .models import MODELS, build_model, init_variables, layer_names
from .models.checking import check_layer
from .models.functions import as_network
from .models.layers import Layer, select_layers
from .models.named import NamedLayer, named_layers
from .weights import load_weights, save_weights, to_torch_state_dict

__all__ = [
    "MODELS",
    "Autoencoding",
    "Inversion",
    "InversionConfig",
    "Layer",
    "Measurement",
    "NamedLayer",
    "Parametrisation",
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
    "metamer_test",
    "named_layers",
    "save_network",
    "save_weights",
    "select_layers",
    "step_scale",
    "term",
    "to_torch_state_dict",
]
__version__: str
