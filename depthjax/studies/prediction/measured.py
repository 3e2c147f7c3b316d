"""Descents of untrained networks beside what linear theory predicts of each."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import jax
import numpy as np

from depthjax.analysis.prediction import PredictedDescents, descend_and_predict
from depthjax.errors import one_of
from depthjax.inversion.config import InversionConfig
from depthjax.models import MODELS, Network, build_model, init_variables
from depthjax.models.layers import Layer
from depthjax.studies.rows import Row
from depthjax.typing import Images

PERCEPTRONS = ("linear", "relu")
"""Multilayer perceptrons by their activation."""


def model_of(name: str, widths: Sequence[float], inputs: int) -> Network:
    """A network by its name.

    Args:
        name: one of `PERCEPTRONS`, or of an architecture.
        widths: of a perceptron's layers, over the number of inputs.
        inputs: numbers of an image.

    Raises:
        ValueError: for an unknown name.
    """
    if name in PERCEPTRONS:
        rounded = tuple(round(width * inputs) for width in widths)
        return build_model("mlp", widths=rounded, activation=name)
    return build_model(one_of("network", name, (*PERCEPTRONS, *MODELS)))


class UntrainedLayer(NamedTuple):
    """A layer of an untrained network of one weight seed.

    Fields:
        network: its label.
        model: its architecture.
        layer: the layer's name.
        depth: its position among the layers, from 0.
        seed: of the weights.
    """

    network: str
    model: Network
    layer: str
    depth: int
    seed: int

    @property
    def affine(self) -> bool:
        """Whether theory is exact."""
        return getattr(self.model, "activation", "") == "linear"


def untrained_layers(models: dict[str, Network], seeds: Sequence[int]) -> list[UntrainedLayer]:
    """Network by network, layer by layer, seed by seed."""
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
    """Descents at a place, and theory.

    Args:
        place: the layer.
        targets, starts: a and a_0.
        config: from `depthjax.analysis.prediction.linear_descent`.
        jacobian_at: where the Jacobian is taken: "target", "start" or "middle" of both.

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


def rows_of(place: UntrainedLayer, names: Sequence[str], found: PredictedDescents) -> Iterator[Row]:
    """What was predicted and measured, a row for each image.

    Args:
        place: where.
        names: of the images.
        found: from `descend_at`.
    """
    where: Row = {"network": place.network, "layer": place.layer, "depth": place.depth}
    where |= {"affine": place.affine, "seed": place.seed}
    trajectory = found.inversion.trajectory
    each = zip(names, found.predictions, found.directions, strict=True)
    for index, (name, told, directions) in enumerate(each):
        curve = trajectory.input_distance[:, index]
        expected = told.input_distance[trajectory.step]
        yield where | {
            "image": name,
            "rank": len(directions.values),
            "largest_singular_value": float(directions.values[0]),
            "condition_number": directions.condition_number,
            "learning_rate": found.config.learning_rate,
            "start_distance": float(told.input_distance[0]),
            "lost": told.lost,
            "slow": float(told.slow[-1]),
            "predicted": float(told.input_distance[-1]),
            "measured": float(curve[-1]),
            "largest_relative_error": float(np.abs(curve / expected - 1).max()),
            "predicted_embedding_distance": float(told.embedding_distance[-1]),
            "measured_embedding_distance": float(trajectory.embedding_distance[-1, index]),
            "status": int(found.inversion.status[index]),
        }
