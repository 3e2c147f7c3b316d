"""The paper's invertible control: exact pre-images of perturbed embeddings, and descents beside.

Claim C6, in both readings: of the paper's text and of its author's code.
"""

from collections.abc import Iterator, Sequence
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
from depthjax.statistics import Finding, bootstrap, bootstrap_ratio
from depthjax.studies.controls.measured import reference_distance
from depthjax.studies.rows import Row, among
from depthjax.tables import markdown_table, spread

READINGS: dict[str, dict[str, Any]] = {"text": preimages.TEXT, "code": preimages.CODE}
"""Of the control, by name."""

_PAPER = ["the paper", "–", "–", "> 40000", "–", "–", "2.84", "0.52", "< 3", "–"]


@dataclass(frozen=True)
class Settings:
    """How many networks, and what is asked of each.

    Fields:
        inits: initialisations; C6 asks for 10.
        draws: perturbed embeddings of each.
        descent_steps: of gradient descent on them.
        start_seed: of its start.
    """

    inits: int = 10
    draws: int = 100
    descent_steps: int = 220
    start_seed: int = 1


def rows_of(
    reading: str, name: str, image: Float[np.ndarray, "h w c"], settings: Settings
) -> Iterator[Row]:
    """A row for each initialisation: exact pre-images, and gradient descent on the same network.

    Args:
        reading: one of `READINGS`.
        name: of the image.
        image: a.
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
            **{"control": f"pre-images, {reading}", "layer": f"fc{how['layers']}"},
            **{"depth": how["layers"], "seed": index, "image": name},
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
    weights_key: Array, image: Float[np.ndarray, "h w c"], layers: int, settings: Settings
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
    found = invert(layer, variables, embedding, start, config, compare_to=target)
    last = found.trajectory
    return float(last.embedding_distance[-1, 0]), float(last.input_distance[-1, 0])


def findings(rows: Sequence[Row]) -> list[Finding]:
    """C6 for each reading, over initialisations."""
    found = []
    for where in dict.fromkeys(row["control"] for row in rows):
        own = among(rows, control=where)
        get = {
            quantity: np.array([[row[quantity]] for row in own])
            for quantity in ("distance_ratio", "outside", "median_distance", "input_distance")
        }
        ratio = bootstrap(get["distance_ratio"])
        against = bootstrap_ratio(get["median_distance"], get["input_distance"])
        name = "median distance / σ‖J⁻¹‖_F"
        found += [
            Finding("C6", where, name, ">= 0.5", ratio),
            Finding("C6", where, name, "<= 2", ratio),
            Finding("C6", where, "share outside [0, 1]", "> 0.99", bootstrap(get["outside"])),
            Finding("C6", where, "median distance / m_i of gradient descent", "> 1", against),
        ]
    return found


def preimage_table(rows: Sequence[Row]) -> str:
    """The paper's numbers, and ours of each reading: medians and ranges over initialisations."""
    headers = [
        *("", "inits", "κ", "distance of pre-images", "over σ‖J⁻¹‖_F", "outside [0, 1]"),
        *("m_i of a_g", "m_g of a_g", "m_i' of a'", "C6"),
    ]
    columns = (
        *("condition_number", "median_distance", "distance_ratio", "outside"),
        *("input_distance", "embedding_distance", "reference_input_distance"),
    )
    body = [_PAPER]
    for where in dict.fromkeys(row["control"] for row in rows):
        own = among(rows, control=where)
        cells = [spread(np.array([row[column] for row in own])) for column in columns]
        verdict = "supported" if control_of(own).supported else "not supported"
        body.append([where, str(len(own)), *cells, verdict])
    return markdown_table(headers, body)


def control_of(rows: Sequence[Row]) -> preimages.InvertibleControl:
    """The control that the rows of one reading were made of."""
    columns = (
        *("median_distance", "expected_distance", "outside", "condition_number"),
        *("residual", "recovery_distance"),
    )
    return preimages.InvertibleControl(
        **{name: np.array([row[name] for row in rows], np.float64) for name in columns}
    )
