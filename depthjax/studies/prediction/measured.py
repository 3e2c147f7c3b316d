"""Descents through untrained networks, beside the prediction of linear theory for each."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import jax
import numpy as np

from depthjax.analysis.prediction import PredictedDescents, descend_and_predict
from depthjax.errors import one_of
from depthjax.inversion.config import InversionConfig
from depthjax.models import MODELS, Network, build_model, init_variables
from depthjax.models.layers import Layer
from depthjax.models.specifications import is_specification
from depthjax.studies.rows import Row
from depthjax.typing import Images

PERCEPTRONS = ("linear", "relu")
"""The multilayer perceptrons; a name is that of the activation."""


def model_of(name: str, widths: Sequence[float], inputs: int) -> Network:
    """The architecture of a name.

    Args:
        name: one of `PERCEPTRONS`, or a name that `build_model` takes.
        widths: of a perceptron's layers, as multiples of the number of inputs.
        inputs: the number of elements of an image.

    Raises:
        ValueError: for an unknown name.
    """
    if name in PERCEPTRONS:
        rounded = tuple(round(width * inputs) for width in widths)
        return build_model("mlp", widths=rounded, activation=name)
    if is_specification(name):
        return build_model(name)
    return build_model(one_of("network", name, (*PERCEPTRONS, *MODELS)))


class UntrainedLayer(NamedTuple):
    """A layer of an untrained network with one weight seed.

    Fields:
        network: its label.
        model: its architecture.
        layer: the name of the layer.
        depth: the index of the layer, from 0 for the shallowest.
        seed: of the weights.
    """

    network: str
    model: Network
    layer: str
    depth: int
    seed: int

    @property
    def affine(self) -> bool:
        """Whether the layer is an affine map, for which the theory is exact."""
        return getattr(self.model, "activation", "") == "linear"


def untrained_layers(models: dict[str, Network], seeds: Sequence[int]) -> list[UntrainedLayer]:
    """All layers: network by network, shallow to deep, seed by seed."""
    return [
        UntrainedLayer(network, model, layer, depth, seed)
        for network, model in models.items()
        for depth, layer in enumerate(model.stages())
        for seed in seeds
    ]


def descend_at(
    place: UntrainedLayer,
    targets: Images,
    starts: Images,
    config: InversionConfig,
    jacobian_at: str,
) -> PredictedDescents:
    """Descends through a layer, and predicts the descents.

    Args:
        place: the layer.
        targets, starts: a and a_0, `[B, H, W, C]`.
        config: from `depthjax.analysis.prediction.linear_descent`.
        jacobian_at: where the Jacobian is taken: at the "target", the "start", or the "middle" of
            both.

    Raises:
        ValueError: for another place of the Jacobian.
    """
    points = {"target": targets, "start": starts, "middle": (targets + starts) / 2}
    at = points[one_of("place of the Jacobian", jacobian_at, points)]
    variables = init_variables(place.model, jax.random.key(place.seed), targets.shape[1])
    layer = Layer(place.model, place.layer)
    return descend_and_predict(
        layer, variables, targets, starts, config, at=at, affine=place.affine
    )


def rows_of(
    place: UntrainedLayer, names: Sequence[str], descents: PredictedDescents
) -> Iterator[Row]:
    """A row for each image: what was predicted, and what was measured.

    Args:
        place: the layer.
        names: of the images.
        descents: from `descend_at`.
    """
    where: Row = {"network": place.network, "layer": place.layer, "depth": place.depth}
    where |= {"affine": place.affine, "seed": place.seed}
    trajectory = descents.inversion.trajectory
    of_images = zip(names, descents.predictions, descents.directions, strict=True)
    for index, (name, prediction, directions) in enumerate(of_images):
        curve = trajectory.input_distance[:, index]
        expected = prediction.input_distance[trajectory.step]
        yield where | {
            "image": name,
            "rank": len(directions.values),
            "largest_singular_value": float(directions.values[0]),
            "condition_number": directions.condition_number,
            "learning_rate": descents.config.learning_rate,
            "start_distance": float(prediction.input_distance[0]),
            "lost": prediction.lost,
            "slow": float(prediction.slow[-1]),
            "predicted": float(prediction.input_distance[-1]),
            "measured": float(curve[-1]),
            "largest_relative_error": float(np.abs(curve / expected - 1).max()),
            "predicted_embedding_distance": float(prediction.embedding_distance[-1]),
            "measured_embedding_distance": float(trajectory.embedding_distance[-1, index]),
            "status": int(descents.inversion.status[index]),
        }
