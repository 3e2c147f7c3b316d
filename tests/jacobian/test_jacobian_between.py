"""Jacobians between two layers: the chain rule, and what lies between."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import depthjax
from depthjax.analysis import accounting
from depthjax.jacobian import dense_jacobian, dense_singular_values, linearize

MODEL = depthjax.build_model("resnet18_small", width=4, stage_sizes=(1, 1), num_classes=3)
LAST = depthjax.Layer(MODEL, "layer2", normalization="half")


def variables():
    return depthjax.init_variables(MODEL, jax.random.key(0), 8)


def images():
    return np.random.default_rng(0).uniform(size=(2, 8, 8, 3)).astype(np.float32)


def test_one_after_the_other_they_are_the_whole():
    before, after = LAST.split("layer1")
    activation = before(variables(), jnp.asarray(images()))
    np.testing.assert_array_equal(
        after(variables(), activation), LAST(variables(), jnp.asarray(images()))
    )
    assert before == depthjax.Layer(MODEL, "layer1", normalization="half")
    assert after == depthjax.Layer(MODEL, "layer2", from_layer="layer1.0") != LAST
    assert hash(after) == hash(depthjax.Layer(MODEL, "layer2", from_layer="layer1"))


def test_the_chain_rule():
    whole = dense_jacobian(linearize(LAST, variables(), images()))
    first = dense_jacobian(linearize(LAST.split("layer1")[0], variables(), images()))
    rest = dense_jacobian(linearize(LAST, variables(), images(), from_layer="layer1"))
    assert rest.shape[2] == first.shape[1]
    np.testing.assert_allclose(rest @ first, whole, atol=1e-5 * np.abs(whole).max())


def test_a_batch_norm_whose_convolution_is_before_the_start():
    layer = depthjax.Layer(MODEL, "bn1", from_layer="conv1")
    activation = jnp.ones((1, 8, 8, 4))
    prepared, weights = layer.prepare(variables())
    np.testing.assert_allclose(
        prepared(weights, activation), layer(variables(), activation), rtol=1e-6
    )


def test_dense_values_between_layers():
    values = dense_singular_values(LAST, variables(), images(), from_layer="layer1")
    matrix = dense_jacobian(linearize(LAST, variables(), images(), from_layer="layer1"))
    np.testing.assert_allclose(values[0], np.linalg.svd(matrix[0])[1], atol=1e-5 * values.max())


def test_an_mlp_begins_at_vectors():
    model = depthjax.build_model("mlp", widths=(5, 4), activation="linear")
    weights = depthjax.init_variables(model, jax.random.key(0), 2)
    maps = linearize(
        depthjax.Layer(model, "fc2"), weights, np.ones((1, 2, 2, 3), np.float32), from_layer="fc1"
    )
    expected = weights["params"]["fc2"]["kernel"].T
    np.testing.assert_allclose(dense_jacobian(maps)[0], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ("layer2.0.conv1", r"layer2.0 is no function of layer2.0.conv1 alone.*layer1.0"),
        ("layer2", "layer2.0 is no function of layer2.0 alone"),
        ("layer3", "unknown layer"),
    ],
)
def test_what_does_not_lie_between(start, message):
    with pytest.raises(ValueError, match=message) as caught:
        linearize(LAST, variables(), images(), from_layer=start)
    assert "\n" not in str(caught.value)


def test_what_has_no_layers_cannot_be_split():
    with pytest.raises(ValueError, match=r"'plain' cannot be split at 'layer1'"):

        def plain(weights, x):
            return x

        linearize(plain, {}, images(), from_layer="layer1")


def test_activations_are_not_normalised():
    with pytest.raises(ValueError, match="no pixels"):
        depthjax.Layer(MODEL, "layer2", "half", from_layer="layer1")


def test_accounting_begins_at_the_image():
    _, after = LAST.split("layer1")
    with pytest.raises(ValueError, match="from the image on, not from layer1"):
        accounting.account(after, variables(), images()[0])
