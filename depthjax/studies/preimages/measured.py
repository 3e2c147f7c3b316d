"""Exact pre-images of perturbed embeddings, and gradient descent on the same networks."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from depthjax.analysis.preimages import preimages
from depthjax.inversion.config import InversionConfig
from depthjax.inversion.invert import initial_images, invert
from depthjax.models.embeddings import embed
from depthjax.models.layers import Layer
from depthjax.settings import check_settings, described, setting
from depthjax.studies.controls.measured import reference_distance
from depthjax.studies.preimages.trained import UNTRAINED, square_mlp
from depthjax.studies.rows import Row
from depthjax.typing import Variables

READINGS: dict[str, dict[str, Any]] = {
    "text": {"layers": 4, "std": 1e-3},
    "code": {"layers": 3, "std": 1e-7},
}
"""The control by name: as in the paper's text, and as in its author's code; σ of the noise."""


def control_name(reading: str, trained_on: str = UNTRAINED) -> str:
    """The value of the column `control` for a reading, and what the networks were trained on."""
    after = "" if trained_on == UNTRAINED else f", trained on {trained_on}"
    return f"pre-images, {reading}{after}"


@described
@dataclass(frozen=True)
class PreimageSettings:
    """How many networks are inverted exactly, and for how many embeddings each."""

    inits: int = setting(10, "initialisations of the invertible networks; C6 asks for 10", least=1)
    draws: int = setting(100, "perturbed embeddings of each network and image", least=1)
    descent_steps: int = setting(220, "steps of gradient descent on perturbed embeddings", least=1)
    start_seed: int = setting(1, "seed of the start of gradient descent")

    def __post_init__(self) -> None:
        check_settings(self)


def rows_of(
    reading: str,
    trained_on: str,
    name: str,
    image: Float[np.ndarray, "h w c"],
    settings: PreimageSettings,
) -> Iterator[Row]:
    """A row for each initialisation: exact pre-images, and gradient descent on the same network.

    Args:
        reading: one of `READINGS`.
        trained_on: as in `depthjax.studies.preimages.trained.square_mlp`.
        name: of the image.
        image: a, `[H, H, 3]`, in [0, 1].
        settings: of the control.
    """
    how = READINGS[reading]
    layers, std = how["layers"], how["std"]
    keys = jax.random.split(jax.random.key(0), settings.inits)
    for index, (weights_key, noise_key) in enumerate(map(jax.random.split, keys)):
        made = square_mlp(weights_key, len(image), layers, trained_on)
        layer = Layer(made.model, f"fc{layers}")
        cloud = preimages(
            *(noise_key, made.model, made.variables, layer.name, image),
            std=std,
            draws=settings.draws,
        )
        embedding_distance, input_distance = _descended(layer, made.variables, image, settings)
        yield {
            "control": control_name(reading, trained_on),
            "layer": layer.name,
            "depth": layers,
            "seed": index,
            "image": name,
            "std": std,
            **cloud.summary(),
            "input_distance": input_distance,
            "embedding_distance": embedding_distance,
            "reference_input_distance": reference_distance((1, *image.shape)),
            "training_accuracy": made.accuracy,
        }


def _descended(
    layer: Layer,
    variables: Variables,
    image: Float[np.ndarray, "h w c"],
    settings: PreimageSettings,
) -> tuple[float, float]:
    """m_g and m_i of the paper's recipe for MLPs on one of the control's networks."""
    target, steps = jnp.asarray(image)[None], settings.descent_steps
    config = InversionConfig.paper("mlp", steps=steps, record_every=steps)
    start = initial_images(jax.random.key(settings.start_seed), target.shape, config)
    embedding = embed(layer, variables, target)
    path = invert(layer, variables, embedding, start, config, compare_to=target).trajectory
    return float(path.embedding_distance[-1, 0]), float(path.input_distance[-1, 0])
