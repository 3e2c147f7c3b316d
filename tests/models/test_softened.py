"""Layers with soft gates: the same values, and descents past wrong winners."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from depthjax import InversionConfig, Layer, autoencode, invert
from depthjax.models import build_model, init_variables
from depthjax.ops.soft_gates import at_temperature

IMAGES = jax.random.uniform(jax.random.key(1), (2, 32, 32, 3))


@pytest.fixture(scope="module")
def network():
    model = build_model("resnet18", width=8, stage_sizes=(1, 1, 1, 1))
    return model, init_variables(model, jax.random.key(0), image_size=32)


@pytest.mark.parametrize("name", ["maxpool", "layer2", "layer1+layer3"])
def test_a_layer_keeps_its_values_plain_and_fast(network, name):
    model, variables = network
    layer = Layer(model, name, "imagenet")
    soft = layer.with_soft_gates()
    expected = layer(variables, IMAGES)
    np.testing.assert_array_equal(soft(variables, IMAGES), expected)
    fast, weights = soft.prepare(variables)
    for temperature in (0.0, 1.0):
        found = fast(at_temperature(weights, jnp.float32(temperature)), IMAGES)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert soft.part_shapes(variables, IMAGES) == layer.part_shapes(variables, IMAGES)


def gradient(layer, weights):
    return jax.grad(lambda x: jnp.sin(layer(weights, x)).sum())(IMAGES)


def test_a_warm_gradient_is_another_and_a_cold_one_is_true(network):
    model, variables = network
    layer = Layer(model, "layer2")
    true = gradient(*layer.prepare(variables))
    fast, weights = layer.with_soft_gates().prepare(variables)
    np.testing.assert_allclose(gradient(fast, weights), true, rtol=1e-3, atol=1e-5)
    warm = gradient(fast, at_temperature(weights, jnp.float32(0.5)))
    assert np.linalg.norm(warm - true) > 0.1 * np.linalg.norm(true)


def test_descents_come_nearer_past_max_pooling(network):
    """What holds them otherwise are windows in which another unit should win."""
    model, variables = network
    layer = Layer(model, "maxpool")
    target = layer(variables, IMAGES)
    start = jnp.full_like(IMAGES, 0.7) + 0.05 * jax.random.normal(jax.random.key(2), IMAGES.shape)

    def distance(**settings):
        config = InversionConfig.fast(steps=150, **settings)
        found = invert(layer, variables, target, start, config)
        return np.asarray(found.trajectory.embedding_distance[-1])

    true, soft = distance(), distance(soft_gates=0.3)
    assert (soft < 0.6 * true).all()


def test_the_temperature_falls_with_the_square_of_the_steps_left(network, x64):
    """T is 0.5, then (¾)², (½)² and (¼)² of it."""
    model, variables = network
    variables = jax.tree.map(lambda leaf: leaf.astype(float), variables)
    layer, images = Layer(model, "layer1"), IMAGES.astype(float)
    target, start = layer(variables, images), 1 - images
    rate = 1e-8  # images hardly move: all steps are those of the start
    config = InversionConfig(
        steps=4, optimizer="sgd", learning_rate=rate, schedule="constant", pixels="none",
        soft_gates=0.5,
    )  # fmt: skip
    moved = (invert(layer, variables, target, start, config).final_images - start) / rate
    fast, weights = layer.with_soft_gates().prepare(variables)

    def slope(temperature):
        hot = at_temperature(weights, jnp.asarray(temperature))

        def objective(x):
            off = jnp.square(fast(hot, x) - target).sum((1, 2, 3))
            return (off / jnp.square(target).sum((1, 2, 3))).sum()

        return np.asarray(jax.grad(objective)(start))

    squares, straight = (
        -sum(slope(0.5 * (left / 4) ** power) for left in (4, 3, 2, 1)) for power in (2, 1)
    )
    size = np.abs(squares).max()
    assert np.abs(moved - squares).max() < 1e-4 * size < 1e-2 * np.abs(moved - straight).max()


def test_the_preset_brings_a_whole_network_near(network):
    """Together with all that changes the compiled program, restarts and batches included."""
    model, variables = network
    config = InversionConfig.preset("accurate", steps=60, restarts=2)
    run = autoencode(
        jax.random.key(0), Layer(model, "layer2"), variables, IMAGES, config, max_batch=3
    )
    assert (run.embedding_ratio < 0.5).all()
    mixed = InversionConfig(
        steps=3, soft_gates=0.3, penalty="batch_norm:0.1", transform="jitter:1", rematerialize=True,
        objective="cosine@layer1 + l2@layer2",
    )  # fmt: skip
    layer = Layer(model, "layer1+layer2")
    run = autoencode(jax.random.key(0), layer, variables, IMAGES, mixed, max_batch=1)
    assert np.isfinite(run.embedding_ratio).all()
    deep = Layer(model, "layer2", from_layer="maxpool").with_soft_gates()
    assert deep.prepare(variables)[0].start == "maxpool"


def test_a_layer_without_gates_is_inverted_as_it_is(network):
    """So one setting goes for all layers of a network."""
    model, variables = network
    layer = Layer(model, "conv1")
    target, start = layer(variables, IMAGES), jnp.full_like(IMAGES, 0.5)
    soft, true = (
        invert(layer, variables, target, start, InversionConfig(steps=3, soft_gates=soft)).images
        for soft in (0.5, 0.0)
    )
    np.testing.assert_allclose(soft, true, atol=1e-6)
    linear = Layer(build_model("mlp", widths=(4,)), "fc1")
    assert linear.with_soft_gates() == linear


def test_what_cannot_be_asked_for_together():
    with pytest.raises(ValueError, match="gauss_newton needs soft_gates=0"):
        InversionConfig(optimizer="gauss_newton", soft_gates=0.1)
    with pytest.raises(ValueError, match="set plateau to 0"):
        InversionConfig(plateau=0.1, soft_gates=0.1)
    with pytest.raises(ValueError, match="step_scale='layer' measures the true gradient"):
        InversionConfig(step_scale="layer", soft_gates=0.1)
    with pytest.raises(ValueError, match="are both gradients of ReLUs: take one"):
        InversionConfig(relu_gradient="fake", soft_gates=0.1)
    function = lambda variables, images: images.reshape(len(images), -1)  # noqa: E731
    with pytest.raises(ValueError, match=r"soft_gates=0.1 needs a depthjax\.Layer of a network"):
        invert(function, {}, IMAGES.reshape(2, -1), IMAGES, InversionConfig(soft_gates=0.1))
