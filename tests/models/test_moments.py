"""What BatchNorms expect, as a penalty: against NumPy, beside the same embedding, in a descent."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from depthjax import InversionConfig, Layer, autoencode, invert, term
from depthjax.models import build_model, init_variables
from depthjax.models.moments import observed_layer

NORMS = {"layer1": ("bn1", "layer1.0.bn1", "layer1.0.bn2")}
FIELDS = {"width": 4, "stage_sizes": (1, 1)}


@pytest.fixture(scope="module")
def network():
    """A small ResNet whose BatchNorms have seen something."""
    model = build_model("resnet18_small", **FIELDS)
    variables = init_variables(model, jax.random.key(0), image_size=12)
    random = np.random.default_rng(0)
    drawn = jax.tree.map(
        lambda x: jnp.asarray(x + random.uniform(-0.2, 0.2, x.shape), x.dtype),
        variables["batch_stats"],
    )
    params = {
        name: {k: v + 0.3 * random.normal(size=v.shape) for k, v in leaves.items()}
        if "bn" in name
        else leaves
        for name, leaves in variables["params"].items()
    }
    params = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), params)
    images = jax.random.uniform(jax.random.key(1), (3, 12, 12, 3))
    return model, {**variables, "params": params, "batch_stats": drawn}, images


def by_hand(model, variables, images, norms):
    """Of the outputs of BatchNorms, one by one."""
    terms = []
    for name in norms:
        y = np.asarray(Layer(model, name)(variables, images), np.float64)
        scale, shift = (np.asarray(variables["params"][name][k]) for k in ("scale", "bias"))
        mean, variance = y.mean((1, 2)), y.var((1, 2))
        first = ((mean - shift) ** 2).sum(1) / (scale**2).sum()
        second = ((variance - scale**2) ** 2).sum(1) / (scale**4).sum()
        terms.append(first + second)
    return np.mean(terms, 0)


@pytest.mark.parametrize("name", ["layer1", "bn1", "layer1.0.conv1+layer1"])
def test_the_embedding_is_that_of_the_layer_and_the_distance_that_of_numpy(network, name):
    model, variables, images = network
    layer = Layer(model, name, "imagenet")
    observed, weights = observed_layer(layer, variables, images)
    embedding, distance = observed.observe(weights, images)
    np.testing.assert_allclose(embedding, layer(variables, images), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(observed(weights, images), embedding, rtol=1e-6, atol=1e-6)
    seen = layer.normalization(images)
    norms = NORMS["layer1"] if "layer1" in name else ("bn1",)
    np.testing.assert_allclose(distance, by_hand(model, variables, seen, norms), rtol=1e-4)


def test_images_of_the_expected_moments_are_not_penalised():
    """A BatchNorm alone, of pixels with its own mean and variance."""
    model = build_model("resnet18_small", **FIELDS)
    variables = init_variables(model, jax.random.key(0), image_size=12)
    images = jax.random.uniform(jax.random.key(1), (1, 12, 12, 3))
    conv = np.asarray(Layer(model, "conv1")(variables, images))
    moments = {"mean": conv.mean((0, 1, 2)), "var": conv.var((0, 1, 2))}
    variables["batch_stats"]["bn1"] = jax.tree.map(jnp.asarray, moments)
    observed, weights = observed_layer(Layer(model, "bn1"), variables, images)
    np.testing.assert_allclose(observed.observe(weights, images)[1], 0, atol=1e-6)
    assert observed.observe(weights, 2 * images)[1] > 0.1


def test_a_descent_with_the_penalty_ends_nearer_to_what_is_expected(network):
    model, variables, images = network
    layer = Layer(model, "layer2")
    target = layer(variables, images)
    start = jax.random.uniform(jax.random.key(3), images.shape)
    config = InversionConfig(steps=60, record_every=60)
    plain = invert(layer, variables, target, start, config)
    unweighted = config.replace(penalty=0.0 * term("batch_norm"))
    same = invert(layer, variables, target, start, unweighted)
    np.testing.assert_allclose(same.images, plain.images, atol=1e-4)
    asked = invert(layer, variables, target, start, config.replace(penalty="batch_norm + tv:1e-4"))
    observed, weights = observed_layer(layer, variables, images)
    distances = [observed.observe(weights, found.images)[1] for found in (asked, plain)]
    assert (distances[0] < distances[1]).all()
    # m_g is that of the layer alone.
    residual = np.asarray(layer(variables, asked.final_images) - target).reshape(3, -1)
    there = np.linalg.norm(residual, axis=1)
    np.testing.assert_allclose(asked.trajectory.embedding_distance[-1], there, rtol=1e-3)


def test_it_goes_with_several_layers_and_with_random_views(network):
    model, variables, images = network
    config = InversionConfig(
        steps=4, penalty="batch_norm:0.1", transform="jitter:1", relu_gradient="fake_everywhere",
        objective="cosine@layer1 + l2@layer2", rematerialize=True,
    )  # fmt: skip
    run = autoencode(
        jax.random.key(0), Layer(model, "layer1+layer2"), variables, images, config, max_batch=2
    )
    assert np.isfinite(run.embedding_ratio).all()


def test_where_there_is_none_it_says_so(network):
    model, variables, images = network
    config = InversionConfig(steps=2, penalty="batch_norm")

    def plain(variables, images):
        return images

    target = jnp.zeros_like(images)
    with pytest.raises(ValueError, match=r"needs a depthjax\.Layer"):
        invert(plain, variables, target, images, config)
    with pytest.raises(ValueError, match="needs a BatchNorm of maps at or before conv1"):
        layer = Layer(model, "conv1")
        invert(layer, variables, layer(variables, images), images, config)
    with pytest.raises(ValueError, match="of all that the network sees; leave"):
        InversionConfig(penalty="batch_norm[0:3]")
