"""A network as one that classifies images: its last layer, with its weights."""

from typing import NamedTuple

from depthjax.models import layer_names
from depthjax.models.layers import Layer
from depthjax.models.network import Network
from depthjax.models.normalization import Normalization
from depthjax.typing import LayerFn, Variables
from depthjax.weights import Weights


class Classifier(NamedTuple):
    """The logits of a network as a function of images, and its weights."""

    head: LayerFn
    variables: Variables


def head_of(model: Network, normalization: Normalization | None = None) -> Layer:
    """The last layer of a network, its logits, of pixels that are normalised so."""
    return Layer(model, layer_names(model)[-1], normalization)


def classifier_of(model: Network, weights: Weights) -> Classifier:
    """The classifier that a network is with these weights, which say how it sees pixels."""
    return Classifier(head_of(model, weights.normalization), weights.variables)
