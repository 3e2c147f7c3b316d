"""ReLUs with other gradients: the same values, and what passes through closed gates."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from depthjax import InversionConfig, Layer, invert
from depthjax.models import build_model, init_variables
from depthjax.models.operations.relu import relu, relu6
from depthjax.models.regated import (
    RELU_GRADIENTS,
    fake_relu,
    fake_relu6,
    redirected_relu,
    redirected_relu6,
    regated,
)

PLAIN = {
    fake_relu: relu, fake_relu6: relu6, redirected_relu: relu, redirected_relu6: relu6,
}  # fmt: skip


@pytest.mark.parametrize("operation", PLAIN)
def test_values_are_those_of_the_relu(operation):
    x = jnp.concatenate([jnp.linspace(-9, 9, 61), jnp.array([0.0, 6.0, 1e30, -1e-30])])[:, None]
    np.testing.assert_array_equal(operation(x), PLAIN[operation](x))


@pytest.mark.parametrize("operation", [fake_relu, fake_relu6])
def test_a_fake_gate_passes_everything(operation):
    x = jnp.linspace(-9, 9, 40)
    np.testing.assert_array_equal(jax.grad(lambda x: (x * operation(x)).sum())(x), operation(x) + x)
    pushed = jax.jvp(operation, (x,), (jnp.sin(x),))[1]
    np.testing.assert_array_equal(pushed, jnp.sin(x))


def pulled(operation, x, cotangent):
    return jax.vjp(operation, jnp.asarray(x))[1](jnp.asarray(cotangent))[0]


def test_a_redirected_gate_opens_only_where_nothing_passes():
    x = [[-1.0, 2.0], [-1.0, -2.0]]
    np.testing.assert_array_equal(
        pulled(redirected_relu, x, [[-3.0, 4.0], [-3.0, 5.0]]),
        [[0, 4], [-3, 0]],  # the first example has an open gate; of the second one would open
    )
    np.testing.assert_array_equal(
        pulled(redirected_relu6, [[7.0, -1.0], [7.0, 3.0]], [[1.0, 1.0], [1.0, 1.0]]),
        [[1, 0], [0, 1]],  # 7 would come back below 6
    )


@pytest.fixture(scope="module")
def network():
    model = build_model("resnet18_small", width=4, stage_sizes=(1, 1, 1, 1))
    return model, init_variables(model, jax.random.key(0), image_size=16)


IMAGES = jax.random.uniform(jax.random.key(1), (2, 16, 16, 3))


@pytest.mark.parametrize("how", RELU_GRADIENTS)
@pytest.mark.parametrize("name", ["layer2", "layer1+layer3"])
def test_a_layer_keeps_its_values_plain_and_fast(network, name, how):
    model, variables = network
    layer = Layer(model, name, "imagenet")
    other = layer.with_relu_gradient(how)
    assert (other == layer) is (how == "true")
    expected = layer(variables, IMAGES)
    np.testing.assert_array_equal(other(variables, IMAGES), expected)
    fast, weights = other.prepare(variables)
    np.testing.assert_allclose(fast(weights, IMAGES), expected, rtol=1e-4, atol=1e-5)
    assert other.part_shapes(variables, IMAGES) == layer.part_shapes(variables, IMAGES)


def gradient(layer, variables, cotangent):
    return jax.vjp(lambda x: layer(variables, x), IMAGES)[1](cotangent)[0]


def test_fake_is_of_the_layer_itself(network):
    """The gradient is that of what enters its ReLU; everywhere, that of a network without any."""
    model, variables = network
    layer = Layer(model, "layer2")
    before = Layer(model, next(n.inputs[0] for n in model.graph() if n.name == layer.node))
    cotangent = jax.random.normal(jax.random.key(2), layer(variables, IMAGES).shape)
    ours = gradient(layer.with_relu_gradient("fake"), variables, cotangent)
    np.testing.assert_allclose(ours, gradient(before, variables, cotangent), rtol=1e-4, atol=1e-6)
    assert not np.allclose(ours, gradient(layer, variables, cotangent), atol=1e-3)
    everywhere = layer.with_relu_gradient("fake_everywhere")
    ours = gradient(everywhere, variables, cotangent)
    # Without gates the network is affine, so its gradient is the same everywhere.
    other = jax.vjp(lambda x: everywhere(variables, x), 1 - IMAGES)[1](cotangent)[0]
    np.testing.assert_allclose(ours, other, rtol=1e-3, atol=1e-5)


def test_what_has_no_relu_is_said(network):
    model, _ = network
    with pytest.raises(ValueError, match=r"layer1\.0\.conv1 is no ReLU; set relu_gradient='true'"):
        Layer(model, "layer1.0.conv1").with_relu_gradient("fake")
    linear = build_model("mlp", widths=(4,))
    with pytest.raises(ValueError, match="changes nothing of MLP: it has no ReLU"):
        regated(linear, "fc1", "redirected")
    with pytest.raises(ValueError, match="unknown gradient of ReLUs 'fak'; did you mean 'fake'"):
        regated(model, "layer1", "fak")


def test_a_descent_out_of_closed_gates():
    """From a start where all gates are closed the true gradient is zero."""
    model = build_model("mlp", widths=(6, 2), activation="relu")
    variables = {"params": {"fc1": {"kernel": jnp.eye(12, 6), "bias": -jnp.ones(6)}}}
    layer = Layer(model, "relu1")
    start, target = jnp.zeros((1, 2, 2, 3)), jnp.full((1, 6), 0.5)
    config = InversionConfig(objective="squared_l2", steps=200, pixels="none")
    far = {}
    for how in RELU_GRADIENTS:
        found = invert(layer, variables, target, start, config.replace(relu_gradient=how))
        far[how] = float(jnp.linalg.norm(layer(variables, found.images) - target))
    assert far["true"] > 1 and max(far["fake"], far["fake_everywhere"], far["redirected"]) < 0.05


def test_what_cannot_be_asked_for_together():
    with pytest.raises(ValueError, match="gauss_newton needs relu_gradient='true'"):
        InversionConfig(optimizer="gauss_newton", relu_gradient="fake")
    with pytest.raises(ValueError, match="has no step_scale='layer'"):
        InversionConfig(step_scale="layer", relu_gradient="redirected")
    function = lambda variables, images: images.reshape(len(images), -1)  # noqa: E731
    with pytest.raises(ValueError, match=r"needs a depthjax\.Layer of a network"):
        invert(function, {}, IMAGES.reshape(2, -1), IMAGES, InversionConfig(relu_gradient="fake"))
