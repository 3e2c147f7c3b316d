"""Layers of units, narrowed by switching units off."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import depthjax
from depthjax import InversionConfig
from depthjax.analysis.unit_layers import first_units, unit_layers
from depthjax.jacobian import dense_singular_values

INPUTS = 12


def pair(batch=2):
    """Targets and starts of 2×2×3."""
    keys = jax.random.split(jax.random.key(0))
    return tuple(jax.random.uniform(key, (batch, 2, 2, 3)) for key in keys)


def network(widths, activation):
    model = depthjax.build_model("mlp", widths=widths, activation=activation)
    return model, depthjax.init_variables(model, jax.random.key(0), 2)


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "leaky_relu"])
def test_they_are_the_first_layers_of_a_perceptron(activation):
    model, variables = network((20, 30, 1), activation)
    images = pair()[0]
    whole = depthjax.Layer(model, f"{activation}2")(variables, images)
    layers = [variables["params"][name] for name in ("fc1", "fc2")]
    part = unit_layers(activation)(first_units(layers, 7), images)
    np.testing.assert_allclose(part[:, :7], whole[:, :7], atol=1e-6)
    assert not part[:, 7:].any()


def test_open_gates_are_the_rank_of_the_jacobian():
    _, variables = network((20, 1), "relu")
    images, weights = pair()[0], first_units([variables["params"]["fc1"]], 7)
    layer = unit_layers("relu")
    values = dense_singular_values(layer, weights, images)
    ranks = (values > 1e-9 * values[:, :1]).sum(1)
    open_gates = np.asarray(layer(weights, images) > 0).sum(1)
    np.testing.assert_array_equal(ranks, np.minimum(open_gates, INPUTS))


@pytest.mark.parametrize(("activation", "enough"), [("relu", 4), ("tanh", 2)])
def test_an_image_comes_back_from_enough_units(activation, enough):
    targets, starts = pair(batch=3)
    _, variables = network((enough * INPUTS, 1), activation)
    config = InversionConfig(
        steps=60, optimizer="gauss_newton", learning_rate=1.0, schedule="constant", pixels="none"
    )
    layer, ends = unit_layers(activation), {}
    for width in (INPUTS // 2, enough * INPUTS):
        weights = first_units([variables["params"]["fc1"]], width)
        found = depthjax.invert(layer, weights, layer(weights, targets), starts, config)
        ends[width] = np.linalg.norm(jnp.reshape(found.images - targets, (3, -1)), axis=1)
    before = np.linalg.norm(jnp.reshape(starts - targets, (3, -1)), axis=1)
    assert (ends[INPUTS // 2] > 0.2 * before).all()
    assert (ends[enough * INPUTS] < 1e-2 * before).all()
