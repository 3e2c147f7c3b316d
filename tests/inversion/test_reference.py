"""How far a noisy copy lies from its image: what it depends on, and what it does not."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthjax import InversionConfig, invert
from depthjax.inversion.reference import (
    REFERENCE_STD,
    ReferenceNoise,
    checked_reference,
    expected_input_distance,
    reference_distances,
    shared_input_distance,
)
from depthjax.typing import LayerFn

KEY = jax.random.key(5)
SHAPE = (3, 4, 5, 2)


def linear(variables: dict[str, Any], images: jax.Array) -> jax.Array:
    return images.reshape(len(images), -1) @ variables["w"]


@pytest.fixture(scope="module")
def variables() -> dict[str, Any]:
    weights = np.random.default_rng(0).normal(size=(40, 18))
    return {"w": jnp.asarray(weights, jnp.float32)}


def draw(shape: tuple[int, ...], seed: int, low: float = 0.0, high: float = 1.0) -> jax.Array:
    generator = np.random.default_rng(seed)
    return jnp.asarray(generator.uniform(low, high, shape), jnp.float32)


def assert_same(one: Any, other: Any) -> None:
    for x, y in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(x, y)


@settings(max_examples=10, deadline=None)
@given(factor=st.floats(0.01, 20), seed=st.integers(0, 20))
def test_reference_distances_grow_with_the_noise(factor: float, seed: int) -> None:
    """The layer is linear, so both do, exactly."""
    weights = {"w": draw((40, 6), 9, -1, 1)}
    a, key = draw(SHAPE, seed), jax.random.key(seed)
    one = reference_distances(linear, weights, a, ReferenceNoise(key, 0.1))
    other = reference_distances(linear, weights, a, ReferenceNoise(key, 0.1 * factor))
    for name in ("embedding_distance", "embedding_distance_std", "input_distance"):
        np.testing.assert_allclose(
            getattr(other, name), factor * getattr(one, name), rtol=1e-2, err_msg=name
        )
    np.testing.assert_allclose(other.input_distance, factor * one.input_distance, rtol=1e-5)
    np.testing.assert_array_equal(one.embedding_norm, other.embedding_norm)


def test_the_reference_moves_an_image_by_the_noise_times_the_root_of_its_size() -> None:
    a = draw((4, 16, 16, 3), 1)
    ours = reference_distances(linear, {"w": jnp.ones((768, 1))}, a, ReferenceNoise(KEY, draws=16))
    expected = REFERENCE_STD * 768**0.5
    np.testing.assert_allclose(ours.input_distance, expected, rtol=0.02)
    # Against ones, the noise adds up to one normal variable of std σ√n, whose size is σ√(2n/π).
    np.testing.assert_allclose(
        ours.embedding_distance.mean(), expected * (2 / np.pi) ** 0.5, rtol=0.3
    )


def test_the_spread_is_that_from_draw_to_draw(variables: dict) -> None:
    """Of few draws it is as large as of many, on average; of one it is not known."""
    a = draw((200, *SHAPE[1:]), 1)

    def spread(draws: int) -> jax.Array:
        noise = ReferenceNoise(KEY, draws=draws)
        return reference_distances(linear, variables, a, noise).embedding_distance_std

    means = [float(jnp.square(spread(draws)).mean()) for draws in (3, 300)]
    assert means[0] == pytest.approx(means[1], rel=0.1)
    assert jnp.isnan(spread(1)).all()


def test_the_reference_key_decides(variables: dict) -> None:
    a = draw(SHAPE, 1)
    first, again, other = (
        reference_distances(linear, variables, a, ReferenceNoise(jax.random.key(seed)))
        for seed in (0, 0, 1)
    )
    assert_same(first, again)
    assert (first.embedding_distance != other.embedding_distance).all()
    # The same noise for every layer: the input distance does not depend on the layer.
    deeper = reference_distances(
        linear, {"w": variables["w"][:, :3]}, a, ReferenceNoise(jax.random.key(0))
    )
    np.testing.assert_array_equal(first.input_distance, deeper.input_distance)


def test_noise_that_images_share_moves_them_as_far_as_their_own() -> None:
    """To the accuracy of so few draws; and a number of pixels alone tells about as much."""
    shape, noise = (16, 16, 3), ReferenceNoise(KEY, 0.3, draws=32)
    shared = shared_input_distance(shape, noise)
    drawn = 0.3 * np.asarray(jax.random.normal(KEY, (32, *shape)), float)
    np.testing.assert_allclose(shared, np.sqrt((drawn**2).sum((1, 2, 3))).mean(), rtol=1e-6)
    own = reference_distances(linear, {"w": jnp.ones((768, 1))}, draw((4, *shape), 1), noise)
    np.testing.assert_allclose(own.input_distance, shared, rtol=0.02)
    np.testing.assert_allclose(expected_input_distance(768, 0.3), shared, rtol=0.02)


class TwoForms:
    """A layer with a fast form, `factor` times as large, that counts what each is given."""

    def __init__(self, factor: float = 1.0, function: LayerFn = linear) -> None:
        self.factor, self.function = factor, function
        self.plain: list[int] = []
        self.fast: list[int] = []

    def __call__(self, variables: dict, images: jax.Array) -> jax.Array:
        self.plain.append(len(images))
        return self.function(variables, images)

    def prepare(self, variables: dict) -> tuple:
        def fast(weights: dict, images: jax.Array) -> jax.Array:
            self.fast.append(len(images))
            return self.factor * self.function(weights, images)

        return fast, variables


def depthwise(variables: dict[str, Any], images: jax.Array) -> jax.Array:
    kernel = variables["w"][:9, :2].reshape(3, 3, 1, 2)
    axes = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(
        images, kernel, (1, 1), "SAME", dimension_numbers=axes, feature_group_count=2
    )


def test_a_layer_with_a_fast_form_of_its_own_descends_under_any_setting(variables: dict) -> None:
    a, layer = draw((3, *SHAPE[1:]), 1), TwoForms()
    config = InversionConfig(steps=3)
    asked = {"as it is": {}, "again": {"config": config.replace(rematerialize=True)}}
    asked["in parts"] = {"spread_weights": True}
    found = {
        name: invert(layer, variables, linear(variables, a), a + 0.1, **{"config": config, **how})
        for name, how in asked.items()
    }
    for name in ("again", "in parts"):
        np.testing.assert_allclose(found[name].images, found["as it is"].images, atol=1e-6)


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="XLA is slow at them on CPUs alone")
def test_copies_pass_depthwise_convolutions_in_the_fast_form_once_it_was_verified(
    variables: dict,
) -> None:
    a, layer, noise = draw((3, *SHAPE[1:]), 1), TwoForms(function=depthwise), ReferenceNoise(KEY)
    found = checked_reference(layer, variables, a, noise)
    as_it_is = reference_distances(depthwise, variables, a, noise)
    np.testing.assert_allclose(found.embedding_distance, as_it_is.embedding_distance, rtol=1e-6)
    assert 3 in layer.fast
    with pytest.raises(ValueError, match="was rewritten wrongly, and nothing was computed with it"):
        checked_reference(TwoForms(1.1, depthwise), variables, a, noise)


def test_copies_of_other_layers_are_measured_with_the_layer_as_it_is(variables: dict) -> None:
    a, layer, noise = draw((3, *SHAPE[1:]), 1), TwoForms(), ReferenceNoise(KEY)
    found = checked_reference(layer, variables, a, noise)
    assert_same(found, reference_distances(linear, variables, a, noise))
    assert not layer.fast
