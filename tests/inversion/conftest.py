"""A tiny ResNet for tests of descents."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import depthjax
from depthjax import Layer


@pytest.fixture(scope="module")
def network() -> Layer:
    model = depthjax.build_model(
        "resnet18", width=4, stage_sizes=(1, 1), stem="small", num_classes=5
    )
    return Layer(model, "layer2")


@pytest.fixture(scope="module")
def weights(network: Layer) -> dict[str, Any]:
    """Of the tiny ResNet, float32, BatchNorm statistics that do something."""
    variables = depthjax.init_variables(network.model, jax.random.key(0), 12)
    generator = np.random.default_rng(0)
    return jax.tree.map(
        lambda x: x + jnp.asarray(0.1 * generator.random(x.shape), x.dtype), variables
    )
