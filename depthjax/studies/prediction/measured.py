"""Descents through untrained networks, beside the prediction of linear theory for each."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import jax
import numpy as np

from depthjax.analysis.prediction import PredictedDescents, descend_and_predict
from depthjax.analysis.prediction_by_products import descend_and_predict_by_products
from depthjax.errors import one_of
from depthjax.inversion.config import InversionConfig
from depthjax.inversion.metrics import input_ratio_at
from depthjax.inversion.reference import Reference, ReferenceNoise, checked_reference
from depthjax.models import MODELS, Network, build_model, init_variables
from depthjax.models.layers import Layer
from depthjax.models.specifications import is_specification
from depthjax.studies.rows import Row
from depthjax.typing import Images

PERCEPTRONS = ("linear", "relu")
"""The multilayer perceptrons; a name is that of the activation."""

MATCHED = (0.5, 0.3, 0.1)
"""The ρ at which D is predicted and measured."""


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
    products: int = 0,
) -> tuple[PredictedDescents, Reference]:
    """Descends through a layer, and predicts the descents; with the distances of noisy copies.

    Args:
        place: the layer.
        targets, starts: a and a_0, `[B, H, W, C]`.
        config: from `depthjax.analysis.prediction.linear_descent`.
        jacobian_at: where the Jacobian is taken: at the "target", the "start", or the "middle" of
            both.
        products: pairs of products with J for each image; 0 for the dense J.

    Raises:
        ValueError: for another place of the Jacobian.
    """
    points = {"target": targets, "start": starts, "middle": (targets + starts) / 2}
    at = points[one_of("place of the Jacobian", jacobian_at, points)]
    variables = init_variables(place.model, jax.random.key(place.seed), targets.shape[1])
    layer = Layer(place.model, place.layer)
    noise = ReferenceNoise(jax.random.key(2))
    reference = checked_reference(layer, variables, targets, noise)
    descents = (layer, variables, targets, starts, config)
    if products:
        return descend_and_predict_by_products(*descents, at=at, products=products), reference
    return descend_and_predict(*descents, at=at, affine=place.affine), reference


def rows_of(
    place: UntrainedLayer,
    names: Sequence[str],
    descents: PredictedDescents,
    reference: Reference,
) -> Iterator[Row]:
    """A row for each image: what was predicted, and what was measured.

    Args:
        place: the layer.
        names: of the images.
        descents, reference: from `descend_at`.
    """
    where: Row = {"network": place.network, "layer": place.layer, "depth": place.depth}
    where |= {"affine": place.affine, "seed": place.seed}
    trajectory = descents.inversion.trajectory
    for index, (name, prediction) in enumerate(zip(names, descents.predictions, strict=True)):
        curve = trajectory.input_distance[:, index]
        expected = prediction.input_distance[trajectory.step]
        yield where | {
            "image": name,
            **_directions_of(descents, index),
            "learning_rate": descents.config.learning_rate,
            "start_distance": float(prediction.input_distance[0]),
            "lost": prediction.lost,
            "slow": float(prediction.slow[-1]),
            "predicted": float(prediction.input_distance[-1]),
            "measured": float(curve[-1]),
            "largest_relative_error": float(np.abs(curve / expected - 1).max()),
            "predicted_embedding_distance": float(prediction.embedding_distance[-1]),
            "measured_embedding_distance": float(trajectory.embedding_distance[-1, index]),
            **_matched(descents, reference, index),
            "status": int(descents.inversion.status[index]),
        }


def _directions_of(descents: PredictedDescents, index: int) -> Row:
    """Columns about J at an image; NaN where J was not decomposed."""
    if not descents.directions:
        return dict.fromkeys(("rank", "largest_singular_value", "condition_number"), float("nan"))
    directions = descents.directions[index]
    return {
        "rank": len(directions.values),
        "largest_singular_value": float(directions.values[0]),
        "condition_number": directions.condition_number,
    }


def _matched(descents: PredictedDescents, reference: Reference, index: int) -> Row:
    """D where a descent first comes to each ρ of `MATCHED`: predicted, and measured."""
    trajectory, prediction = descents.inversion.trajectory, descents.predictions[index]
    courses = {
        "predicted_": (
            prediction.embedding_distance[trajectory.step],
            prediction.input_distance[trajectory.step],
        ),
        "": (trajectory.embedding_distance[:, index], trajectory.input_distance[:, index]),
    }
    columns: Row = {}
    for kind, (embedding, inputs) in courses.items():
        rho = np.asarray(embedding, float) / float(reference.embedding_distance[index])
        d = np.asarray(inputs, float) / float(reference.input_distance[index])
        found = input_ratio_at(rho, d, MATCHED)
        columns |= {
            f"{kind}input_ratio_at_{level:g}": float(value)
            for level, value in zip(MATCHED, found, strict=True)
        }
    return columns
