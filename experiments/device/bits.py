"""A process that makes the same descent twice and keeps the images of both.

    python -m device.bits '{"small": true, …}' FILE

The file is one of NumPy's, with the ending .npz.
"""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from benchmarks.inputs import photographs

import depthjax
from depthjax.devices.precision import matmul_precision
from depthjax.files import npz_bytes, write_atomically

from .task import Task

STEPS, LAYER = 50, "layer2"
"""Of the descents; the layer is an early one, since each of four processes compiles anew."""


def main() -> None:
    """Writes `first` and `second`, `[B, H, W, 3]` float32."""
    text, file = sys.argv[1:]
    first, second = (descended(Task.from_json(text)) for _ in range(2))
    write_atomically(Path(file), npz_bytes({"first": first, "second": second}))


def descended(task: Task) -> np.ndarray:
    """The last iterates of a descent that depends on nothing but the task."""
    network = task.network
    model = depthjax.build_model(network.model, **network.fields)
    layer = depthjax.Layer(model, network.layer if task.small else LAYER)
    variables = depthjax.init_variables(model, jax.random.key(0), network.size)
    images = jnp.asarray(photographs(network.photographs, network.size))
    config = depthjax.InversionConfig(steps=3 if task.small else STEPS)
    start = depthjax.initial_images(jax.random.key(1), images.shape, config)
    with matmul_precision():
        target = layer(variables, images)
    return np.asarray(depthjax.invert(layer, variables, target, start, config).final_images)


if __name__ == "__main__":
    main()
