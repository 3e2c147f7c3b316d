"""What is spread over devices, and that a descent stays there."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from depthjax.sharding import data_mesh, spread


def test_one_device_holds_all_of_it():
    array = np.arange(12.0, dtype=np.float32).reshape(3, 4)
    held = spread(data_mesh(), array)
    np.testing.assert_array_equal(held, array)


FOUR_DEVICES = """
import jax, numpy as np
import depthjax
from depthjax.sharding import data_mesh, spread
mesh = data_mesh()
assert mesh.size == 4
even = spread(mesh, np.ones((8, 2, 2, 3), np.float32))
assert [shard.data.shape[0] for shard in even.addressable_shards] == [2, 2, 2, 2]
uneven = spread(mesh, np.ones((6, 2), np.float32))
assert uneven.is_fully_replicated and len(uneven.sharding.device_set) == 4
assert spread(mesh, np.float32(1)).is_fully_replicated

def layer(weights, images):
    return images.reshape(len(images), -1) @ weights
random = np.random.default_rng(0)
weights = random.standard_normal((12, 12)).astype(np.float32)
images, start = random.random((2, 8, 2, 2, 3)).astype(np.float32)
config = depthjax.InversionConfig(steps=5)
found = [
    depthjax.invert(layer, weights, layer(weights, a), b, config).final_images
    for a, b in ((images, start), (spread(mesh, images), spread(mesh, start)))
]
np.testing.assert_allclose(*found, rtol=1e-4, atol=1e-5)
print({str(shard.data.shape) for shard in found[1].addressable_shards})
"""


def test_a_descent_on_four_devices_is_that_on_one():
    flags = "--xla_force_host_platform_device_count=4"
    done = subprocess.run(
        [sys.executable, "-c", FOUR_DEVICES],
        cwd=Path(__file__).parents[1], capture_output=True, text=True, timeout=300,
        env={**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "{'(2, 2, 2, 3)'}"  # each device has its two images
