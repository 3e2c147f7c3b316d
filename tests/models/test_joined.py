"""Several layers as one: the same numbers, fast and plain, of any network."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import depthjax
from depthjax import Layer, select_layers
from depthjax.models import build_model, init_variables

FIELDS = {"width": 4, "stage_sizes": (1, 1, 1, 1)}
NAMES = ("layer1", "layer3.0.conv1", "fc")


@pytest.fixture(scope="module")
def network():
    model = build_model("resnet18_small", **FIELDS)
    return model, init_variables(model, jax.random.key(0), image_size=16)


@pytest.fixture(scope="module")
def images():
    return jax.random.uniform(jax.random.key(1), (2, 16, 16, 3))


def test_it_is_the_layers_one_behind_the_other(network, images):
    model, variables = network
    joined = Layer(model, "+".join(NAMES), "imagenet")
    each = {name: Layer(model, name, "imagenet")(variables, images) for name in NAMES}
    expected = jnp.concatenate([x.reshape(2, -1) for x in each.values()], 1)
    np.testing.assert_allclose(joined(variables, images), expected, rtol=1e-5, atol=1e-6)
    fast, weights = joined.prepare(variables)
    np.testing.assert_allclose(fast(weights, images), expected, rtol=1e-4, atol=1e-5)
    shapes = tuple((name, x.shape[1:]) for name, x in each.items())
    assert joined.part_shapes(variables, images) == shapes
    assert Layer(model, "layer1").part_shapes(variables, images) == ()


def test_names_may_be_aliases_and_no_name_is_lost(network):
    model, _ = network
    assert Layer(model, "conv2 + conv4") == Layer(model, "layer1+layer3")
    assert Layer(model, "layer1+layer3") != Layer(model, "layer3+layer1")
    assert select_layers(model, "layer1+layer3,layer2") == ("layer1+layer3", "layer2")
    with pytest.raises(ValueError, match="unknown layer 'layr3'; did you mean 'layer3'"):
        Layer(model, "layer1+layr3")


def test_it_takes_a_function_of_any_library(images):
    def activations(weights, images):
        hidden = jnp.tanh(images.reshape(len(images), -1) @ weights["a"])
        return {"hidden": hidden, "out": hidden @ weights["b"]}

    key = jax.random.key(2)
    weights = {"a": jax.random.normal(key, (768, 5)), "b": jax.random.normal(key, (5, 3))}
    model, variables = depthjax.as_network(activations, weights, images)
    both = activations(weights, images)
    expected = jnp.concatenate([both["hidden"], both["out"]], 1)
    np.testing.assert_allclose(Layer(model, "hidden+out")(variables, images), expected, rtol=1e-5)


def test_the_gradient_is_that_of_both(network, images, x64):
    model, variables = network
    variables = jax.tree.map(lambda x: x.astype(jnp.float64), variables)
    images = images.astype(jnp.float64)
    fast, weights = Layer(model, "layer1+layer4").prepare(variables)
    ours = jax.grad(lambda x: jnp.square(fast(weights, x)).sum())(images)
    layers = [Layer(model, name) for name in ("layer1", "layer4")]
    plain = jax.grad(lambda x: sum(jnp.square(one(variables, x)).sum() for one in layers))(images)
    np.testing.assert_allclose(ours, plain, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", ["conv1+conv1", "layer1+conv1+layer1"])
def test_no_layer_is_joined_with_itself(network, name):
    with pytest.raises(ValueError, match="joins a layer with itself; name each layer once"):
        depthjax.Layer(network[0] if isinstance(network, tuple) else network, name)
