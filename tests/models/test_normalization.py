"""Normalisation inside the layer: of the pixels, before any padding."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import depthjax
from depthjax.models.normalization import NORMALIZATIONS, as_normalization

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def test_names_and_pairs_and_mappings_mean_the_same():
    expected = NORMALIZATIONS["imagenet"]
    assert expected == (MEAN, STD)
    for given in ("imagenet", (MEAN, STD), [list(MEAN), list(STD)], {"mean": MEAN, "std": STD}):
        assert as_normalization(given) == expected
    assert as_normalization("none") is None and as_normalization(None) is None


@pytest.mark.parametrize(
    "value", [((0.5,), (0.0,)), ((0.5,), (1.0, 1.0)), ((), ()), 3, {"mean": (0.5,)}, "ab", (1, 2)]
)
def test_what_is_no_normalization_is_refused(value):
    with pytest.raises(ValueError, match="normalization") as error:
        as_normalization(value)
    assert "imagenet" in str(error.value) and "\n" not in str(error.value)
    with pytest.raises(ValueError, match="did you mean 'imagenet'"):
        as_normalization("imagnet")


def test_a_layer_sees_normalized_pixels():
    model = depthjax.build_model("resnet18", width=4, stage_sizes=(1,), num_classes=3)
    variables = depthjax.init_variables(model, jax.random.key(0), 9)
    images = jax.random.uniform(jax.random.key(1), (2, 9, 11, 3))
    plain = depthjax.Layer(model, "layer1")
    layer = depthjax.Layer(model, "layer1", normalization="imagenet")
    by_hand = (np.asarray(images) - np.float32(MEAN)) / np.float32(STD)
    np.testing.assert_allclose(
        layer(variables, images), plain(variables, jnp.asarray(by_hand)), rtol=1e-5, atol=1e-6
    )
    assert np.abs(np.asarray(layer(variables, images) - plain(variables, images))).max() > 0.1


@pytest.mark.parametrize("name", ["conv1", "layer2", "fc"])
def test_a_prepared_layer_normalizes_too(name, x64):
    """Also at the border: the zeros that a convolution pads with are not normalised."""
    model = depthjax.build_model("resnet18", width=4, stage_sizes=(1, 1), num_classes=3)
    rng = np.random.default_rng(0)
    variables = jax.tree.map(
        lambda leaf: jnp.asarray(np.float64(leaf) + rng.uniform(0.1, 0.5, leaf.shape)),
        depthjax.init_variables(model, jax.random.key(0), 9),
    )
    images = jnp.asarray(rng.uniform(size=(2, 9, 11, 3)))
    layer = depthjax.Layer(model, name, (MEAN, STD))
    fast, weights = layer.prepare(variables)
    expected = np.asarray(layer(variables, images))
    np.testing.assert_allclose(
        np.asarray(fast(weights, images)) / np.abs(expected).max(),
        expected / np.abs(expected).max(),
        atol=1e-12,
    )


def test_layers_with_a_normalization_compare_by_value():
    model = depthjax.build_model("resnet18", width=4)
    by_name = depthjax.Layer(model, "conv2", "imagenet")
    by_value = depthjax.Layer(model, "layer1", [list(MEAN), list(STD)])
    assert by_name == by_value and hash(by_name) == hash(by_value)
    assert by_name != depthjax.Layer(model, "layer1") != depthjax.Layer(model, "layer1", "half")
    assert depthjax.Layer(model, "layer1") == depthjax.Layer(model, "layer1", "none")


def test_channels_must_fit():
    model = depthjax.build_model("resnet18", width=4, channels=1)
    with pytest.raises(ValueError, match="3 channels and the model takes 1"):
        depthjax.Layer(model, "conv1", "imagenet")
