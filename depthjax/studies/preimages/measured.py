"""Exact pre-images of perturbed embeddings, and gradient descent on the same networks."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from depthjax.analysis import preimages
from depthjax.devices.precision import matmul_precision
from depthjax.inversion.config import InversionConfig
from depthjax.inversion.invert import initial_images, invert
from depthjax.models import build_model, init_variables
from depthjax.models.layers import Layer
from depthjax.settings import check_settings, described, setting
from depthjax.studies.controls.measured import reference_distance
from depthjax.studies.rows import Row

READINGS: dict[str, dict[str, Any]] = {"text": preimages.TEXT, "code": preimages.CODE}
"""The settings of the control by name: as in the paper's text, and as in its author's code."""


def control_name(reading: str) -> str:
    """The value of the column `control` for a reading."""
    return f"pre-images, {reading}"


@described
@dataclass(frozen=True)
class PreimageSettings:
    """How many networks are inverted exactly, and for how many embeddings each."""

    inits: int = setting(10, "initialisations of the invertible networks; C6 asks for 10", least=1)
    draws: int = setting(100, "perturbed embeddings of each", least=1)
    descent_steps: int = setting(220, "steps of gradient descent on them", least=1)
    start_seed: int = setting(1, "seed of its start")

    def __post_init__(self) -> None:
        check_settings(self)


def rows_of(
    reading: str, name: str, image: Float[np.ndarray, "h w c"], settings: PreimageSettings
) -> Iterator[Row]:
    """A row for each initialisation: exact pre-images, and gradient descent on the same network.

    Args:
        reading: one of `READINGS`.
        name: of the image.
        image: a, `[H, W, C]`, in [0, 1].
        settings: of the control.
    """
    key, how = jax.random.key(0), READINGS[reading]
    control = preimages.invertible_control(
        key, image, inits=settings.inits, draws=settings.draws, **how
    )
    for index, init_key in enumerate(jax.random.split(key, settings.inits)):
        weights_key, _ = jax.random.split(init_key)  # as the control splits it
        embedding_distance, input_distance = _descended(weights_key, image, how["layers"], settings)
        yield {
            "control": control_name(reading),
            "layer": f"fc{how['layers']}",
            "depth": how["layers"],
            "seed": index,
            "image": name,
            "std": how["std"],
            "condition_number": float(control.condition_number[index]),
            "median_distance": float(control.median_distance[index]),
            "expected_distance": float(control.expected_distance[index]),
            "distance_ratio": float(control.distance_ratio[index]),
            "outside": float(control.outside[index]),
            "residual": float(control.residual[index]),
            "recovery_distance": float(control.recovery_distance[index]),
            "input_distance": input_distance,
            "embedding_distance": embedding_distance,
            "reference_input_distance": reference_distance((1, *image.shape)),
        }


def _descended(
    weights_key: Array, image: Float[np.ndarray, "h w c"], layers: int, settings: PreimageSettings
) -> tuple[float, float]:
    """m_g and m_i of the paper's recipe for MLPs on one of the control's networks."""
    model = build_model("mlp", widths=(image.size,) * layers, activation="linear")
    variables = init_variables(model, weights_key, image.shape[:2])
    layer, target = Layer(model, f"fc{layers}"), jnp.asarray(image)[None]
    steps = settings.descent_steps
    config = InversionConfig.paper("mlp", steps=steps, record_every=steps)
    start = initial_images(jax.random.key(settings.start_seed), target.shape, config)
    with matmul_precision():
        embedding = layer(variables, target)
    path = invert(layer, variables, embedding, start, config, compare_to=target).trajectory
    return float(path.embedding_distance[-1, 0]), float(path.input_distance[-1, 0])
