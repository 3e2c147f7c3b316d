"""The bound is of the layer as a whole, with its normalisation, and of no other layer."""

import jax
import numpy as np
import pytest

import depthjax
from depthjax.analysis.first_convolution import least_singular_value
from depthjax.jacobian import dense_singular_values


@pytest.mark.parametrize("normalization", [None, "imagenet"])
@pytest.mark.parametrize("name", ["resnet18", "tf_efficientnet_lite0"])
def test_the_bound_is_just_below_the_least_singular_value(name, normalization):
    """A stem of the ResNets, and one that pads as TensorFlow does."""
    conv1 = {"resnet18": "conv1", "tf_efficientnet_lite0": "conv_stem"}[name]
    model = depthjax.build_model(name)
    variables = depthjax.init_variables(model, jax.random.key(0), 32)
    layer = depthjax.Layer(model, conv1, normalization)
    image = np.random.default_rng(0).uniform(size=(1, 10, 12, 3)).astype(np.float32)
    exact = dense_singular_values(layer, variables, image)[0, -1]
    found = least_singular_value(layer, variables, (10, 12), exact)
    assert found == pytest.approx(0.95 * exact)
    loose = least_singular_value(layer, variables, (10, 12), 3 * exact)
    assert loose == pytest.approx(0.95 * 3 / 4 * exact)
    # Of a bound that is far too high nothing is known.
    assert least_singular_value(layer, variables, (10, 12), 1e4 * exact) == 0


def test_other_layers_have_no_bound():
    model = depthjax.build_model("resnet18", stage_sizes=(1, 1, 1, 1))
    variables = depthjax.init_variables(model, jax.random.key(0), 32)
    for layer in (
        depthjax.Layer(model, "relu"),
        depthjax.Layer(model, "layer1.0.conv1", from_layer="maxpool"),
        lambda variables, images: images,
    ):
        assert least_singular_value(layer, variables, (8, 8), 1.0) is None
