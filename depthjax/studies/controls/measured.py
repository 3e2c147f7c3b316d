"""Gradient descent on the control networks, beside the prediction of linear theory."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from depthjax.analysis.prediction import descend_and_predict
from depthjax.inversion.config import InversionConfig
from depthjax.inversion.invert import invert
from depthjax.inversion.metrics import elasticity
from depthjax.inversion.reference import (
    ReferenceNoise,
    reference_distances,
    shared_input_distance,
)
from depthjax.models.embeddings import embed
from depthjax.models.layers import Layer
from depthjax.studies.controls.networks import case_of, variables_of
from depthjax.studies.rows import Row
from depthjax.typing import Images, LayerFn, Variables


class Descent(NamedTuple):
    """A descent that is to be made: one control, layer and weight seed.

    Fields:
        control, layer: their names.
        depth: the number of the layer, from 1.
        seed: of the weights.
    """

    control: str
    layer: str
    depth: int
    seed: int


def descents(controls: Sequence[str], inputs: int, seeds: Sequence[int]) -> list[Descent]:
    """All descents: control by control, layer by layer, seed by seed.

    Args:
        controls: their names.
        inputs: the number of elements of an image.
        seeds: of the weights.

    Raises:
        ValueError: for an unknown control.
    """
    return [
        Descent(name, layer, depth, seed)
        for name in dict.fromkeys(controls)
        for depth, layer in enumerate(case_of(name, inputs).layers, 1)
        for seed in seeds
    ]


def rows_of(
    descent: Descent,
    names: Sequence[str],
    targets: Images,
    starts: Images,
    config: InversionConfig,
    *,
    coupling: float,
    converging_steps: int,
) -> Iterator[Row]:
    """Descends and yields a row for each image.

    Args:
        descent: which control, layer and seed.
        names: of the images.
        targets, starts: a and a_0, `[B, H, W, C]`; the same for all layers and controls.
        config: from `depthjax.analysis.prediction.linear_descent`.
        coupling: as in `variables_of`.
        converging_steps: of the descent whose elasticity is taken.
    """
    name, layer, depth, seed = descent
    model, _, affine = case_of(name, targets[0].size)
    reference = reference_distance(targets.shape)
    variables = variables_of(name, model, seed, targets.shape[1], coupling)
    descents = descend_and_predict(
        Layer(model, layer), variables, targets, starts, config, affine=affine
    )
    elasticities = elasticity_of(Layer(model, layer), variables, targets, starts, converging_steps)
    for index, prediction in enumerate(descents.predictions):
        last = descents.inversion.trajectory.input_distance[-1, index]
        yield {
            "control": name,
            "layer": layer,
            "depth": depth,
            "seed": seed,
            "image": names[index],
            "rank": len(descents.directions[index].values),
            "condition_number": descents.directions[index].condition_number,
            "input_distance": float(last),
            "predicted": float(prediction.input_distance[-1]),
            "lost": prediction.lost,
            "slow": float(prediction.slow[-1]),
            "D": float(last / reference),
            "predicted_D": float(prediction.input_distance[-1] / reference),
            "start_D": float(prediction.input_distance[0] / reference),
            "elasticity": float(elasticities[index]),
        }


def elasticity_of(
    layer: LayerFn, variables: Variables, targets: Images, starts: Images, steps: int
) -> Float[np.ndarray, " b"]:
    """D log D / d log ρ of a descent that converges, in pixels, of each image (claim C3).

    Args:
        layer, variables: the embedding.
        targets, starts: a and a_0, `[B, H, W, C]`.
        steps: of L-BFGS.

    Returns:
        NaN where ρ did not fall to the lower end of the window.
    """
    config = InversionConfig.fast(steps=steps, fourier_decay=0.0, pixels="none", record_every=1)
    reference = reference_distances(layer, variables, targets, ReferenceNoise(jax.random.key(2)))
    path = invert(
        layer, variables, embed(layer, variables, targets), starts, config, compare_to=targets
    ).trajectory
    return elasticity(
        path.embedding_distance / np.asarray(reference.embedding_distance),
        path.input_distance / np.asarray(reference.input_distance),
    )


def reference_distance(shape: tuple[int, ...], draws: int = 8) -> float:
    """m_i', of a lightly noised copy: the mean over draws.

    Args:
        shape: of the images, `[B, H, W, C]`; the same for any B.
        draws: of the noise.
    """
    noise = ReferenceNoise(jax.random.key(2), draws=draws)
    return shared_input_distance(shape[1:], noise)
