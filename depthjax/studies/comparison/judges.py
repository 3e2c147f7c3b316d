"""Who looks at the images recovered from networks that are compared: networks that are others."""

import jax
import jax.numpy as jnp

from depthjax.comparison import PHOTOS
from depthjax.judges import Judge
from depthjax.layers import Layer
from depthjax.models import layer_names
from depthjax.models.network import Network
from depthjax.studies.networks import Networks, Weights, same_normalization, weight_records
from depthjax.weights import fetch, load_weights


def class_judges(model: Network, networks: Networks, source: str, size: int) -> list[Judge]:
    """For each seed the third network that reads the classes of its images.

    Args:
        model: the architecture of the networks.
        networks: those that are compared.
        source: its weights; "" for the network trained on photographs of the next seed.
        size: height and width of the images.

    Returns:
        Nothing where there is no third network.

    Raises:
        ValueError: if it is one of the networks that are compared; if these do not normalise alike.
    """
    return [
        Judge(Layer(model, layer_names(model)[-1], weights.normalization), weights.variables)
        for weights in _third_networks(model, networks, source, size)
    ]


def _third_networks(model: Network, networks: Networks, source: str, size: int) -> list[Weights]:
    photos = list(networks.get(PHOTOS, ()))
    if not source:
        return photos[1:] + photos[:1] if len(photos) > 1 else []
    file = fetch(source)
    compared = [record for records in weight_records(networks).values() for record in records]
    if file.sha256 in [record.get("sha256") for record in compared]:
        raise ValueError(f"--judge={source} is one of the networks compared; take a third")
    variables = load_weights(model, file, image_size=size)
    judge = Weights(variables, same_normalization(networks), True, file.record())
    return [judge] * len(next(iter(networks.values())))


def photograph_judge(model: Network, source: str, size: int, photograph_class: int) -> Judge:
    """A classifier of photographs against noise.

    Args:
        model: its architecture.
        source: its weights.
        size: height and width of the images.
        photograph_class: which of its classes are photographs.

    Raises:
        ValueError: for weights that do not fit, and a class that it does not have.
    """
    file = fetch(source)
    variables = load_weights(model, file, image_size=size)
    head = Layer(model, layer_names(model)[-1], file.normalization)
    classes = jax.eval_shape(head, variables, jnp.zeros((1, size, size, 3))).shape[1]
    if photograph_class >= classes:
        raise ValueError(
            f"--photograph_class={photograph_class}, but --noise_judge has {classes} classes,"
            " numbered from 0"
        )
    return Judge(head, variables)
