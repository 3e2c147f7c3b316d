"""ρ that the same descent reaches at every precision, and what each makes of an embedding."""

import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from benchmarks.inputs import photographs

import depthjax
from depthjax.devices.precision import PRECISIONS, matmul_precision
from depthjax.inversion.reference import ReferenceNoise, checked_reference
from depthjax.tables import median_and_range, number
from depthjax.typing import Images, LayerFn, Variables

from ..task import Rows, Task, Tell

STEPS = 200


def measure(task: Task, tell: Tell) -> None:
    """The converging descent from the same starts; ρ itself is measured in float32."""
    network = task.network
    model = depthjax.build_model(network.model, **network.fields)
    layer = depthjax.Layer(model, network.layer)
    variables = depthjax.init_variables(model, jax.random.key(0), network.size)
    images = jnp.asarray(photographs(network.photographs, network.size))
    reference = checked_reference(layer, variables, images, ReferenceNoise(jax.random.key(2)))
    exact = embedded(layer, variables, images, "float32")
    steps = 5 if task.small else STEPS
    numbers: dict[str, Any] = {"layer": network.layer, "size": network.size, "steps": steps}
    for precision in PRECISIONS:
        config = depthjax.InversionConfig(steps=steps, precision=precision)
        began = time.perf_counter()
        found = depthjax.autoencode(
            jax.random.key(1), layer, variables, images, config, reference=reference
        )
        numbers[precision] = {
            "ratio": np.asarray(found.embedding_ratio, float).tolist(),
            "embedding_error": error_of(embedded(layer, variables, images, precision), exact),
            "seconds": time.perf_counter() - began,
        }
        tell(numbers)


def embedded(layer: LayerFn, variables: Variables, images: Images, precision: str) -> np.ndarray:
    """The embeddings of images by products of a precision, as float64."""
    with matmul_precision(precision):
        return np.asarray(jax.jit(layer)(variables, images), float)


def error_of(values: np.ndarray, exact: np.ndarray) -> float:
    """‖values − exact‖ / ‖exact‖: 1e-3 or more says that products were coarser than float32."""
    return float(np.linalg.norm(values - exact) / np.linalg.norm(exact))


def rows(numbers: dict[str, Any]) -> Rows:
    """ρ of all photographs, and the error of their embedding."""
    found = []
    for precision in PRECISIONS:
        if precision in numbers:
            where = f"{numbers['layer']}, {numbers['size']}², {numbers['steps']} steps, {precision}"
            here = numbers[precision]
            # JSON's None is a ratio that overflowed.
            found.append((f"{where}: ρ", median_and_range(np.array(here["ratio"], float))))
            error = here["embedding_error"]
            text = "not finite" if error is None else number(error)
            found.append(("… relative error of an embedding", text))
    return found
