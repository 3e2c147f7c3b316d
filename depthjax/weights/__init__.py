"""Reading and writing of trained weights: PyTorch's state dicts in files, on the Hub, at URLs."""

from depthjax.weights.asked import Weights, weights_of
from depthjax.weights.calibration import calibrated, crops_for, unfolded
from depthjax.weights.controls import CONTROLS
from depthjax.weights.kernels import rotated, shuffled
from depthjax.weights.loading import LoadedWeights, find_and_load, load_weights, save_weights
from depthjax.weights.mismatch import WeightsMismatch
from depthjax.weights.packaged import PACKAGED, PackagedNetwork
from depthjax.weights.sources import TORCHVISION, WeightsFile, fetch
from depthjax.weights.state_dict import from_torch_state_dict, to_torch_state_dict
from depthjax.weights.zoo import ZOO, ZooNetwork, zoo_card

__all__ = [
    "CONTROLS",
    "PACKAGED",
    "TORCHVISION",
    "ZOO",
    "LoadedWeights",
    "PackagedNetwork",
    "Weights",
    "WeightsFile",
    "WeightsMismatch",
    "ZooNetwork",
    "calibrated",
    "crops_for",
    "fetch",
    "find_and_load",
    "from_torch_state_dict",
    "load_weights",
    "rotated",
    "save_weights",
    "shuffled",
    "to_torch_state_dict",
    "unfolded",
    "weights_of",
    "zoo_card",
]
