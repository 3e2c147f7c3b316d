"""The distance of images in another network."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import depthjax
from depthjax.analysis.perceptual import check_other, load_judge, perceptual_distance

FIELDS = {"width": 4, "stage_sizes": (1, 1), "num_classes": 3}


def channels(variables, images):
    """The pixels themselves: vectors of three channels at each place."""
    return images * variables


def rectified(variables, images):
    return jax.nn.relu(images - variables)


def vector(variables, images):
    """A layer without places."""
    return images.mean((1, 2))


def draw(*shape, seed=0):
    return np.random.default_rng(seed).random(shape).astype(np.float32)


def test_it_is_the_mean_over_places_and_layers_of_unit_vectors_differences():
    a, a_g = draw(2, 5, 4, 3), draw(3, 2, 5, 4, 3, seed=1)
    found = perceptual_distance([channels, rectified, vector], 0.4, a, a_g)
    assert found.shape == (3, 2)

    def unit(x):
        return x / (np.linalg.norm(x, axis=-1, keepdims=True) + 1e-10)

    for restart, index in np.ndindex(3, 2):
        x, y = np.float64(a[index]), np.float64(a_g[restart, index])
        layers = [
            lambda v: v * 0.4,
            lambda v: np.maximum(v - np.float64(np.float32(0.4)), 0),
            lambda v: v.mean((0, 1)),
        ]
        each = [np.square(unit(f(x)) - unit(f(y))).sum(-1).mean() for f in layers]
        np.testing.assert_allclose(found[restart, index], np.mean(each), rtol=1e-4)


def test_lengths_do_not_count_and_right_angles_are_two():
    a = np.zeros((1, 2, 2, 3), np.float32)
    a[..., 0], other = 0.3, np.zeros((1, 2, 2, 3), np.float32)
    other[..., 1] = 0.9
    assert perceptual_distance([channels], 1.0, a, 3 * a) == pytest.approx([0], abs=1e-6)
    assert perceptual_distance([channels], 1.0, a, other) == pytest.approx([2])
    # A place without any activation is as far as a unit vector is long.
    assert perceptual_distance([channels], 1.0, a, 0 * a) == pytest.approx([1])


def test_images_are_clipped_and_those_not_finite_have_none():
    a, a_g = draw(2, 4, 4, 3), draw(2, 4, 4, 3, seed=1)
    a_g[0, 0, 0, 0], a_g[1, 1, 1, 1] = np.inf, 7.0
    found = perceptual_distance([channels], 1.0, a, a_g)
    assert np.isnan(found[0])
    clipped = perceptual_distance([channels], 1.0, a[1:], np.clip(a_g[1:], 0, 1))
    assert found[1] == pytest.approx(clipped[0])


def test_a_network_of_names_tells_a_photograph_from_noise():
    judge = load_judge("resnet18", FIELDS, "untrained:3", "layer1:layer2", 32)
    assert judge.record["layers"] == ["layer1", "layer2"]
    _, targets = depthjax.images.load_images(["astronaut", "coffee"], 32)
    targets = jnp.asarray(targets)
    noise = jax.random.normal(jax.random.key(0), targets.shape)
    found = [judge.distance(targets, targets + std * noise) for std in (0.0, 0.1, 0.5)]
    assert (np.diff(np.stack(found), axis=0) > 0).all()
    np.testing.assert_allclose(found[0], 0, atol=1e-6)


def test_the_inverted_network_is_no_judge_of_itself():
    judge = load_judge("resnet18", FIELDS, "untrained", "layer1", 16)
    check_other(judge, None)
    judge = judge._replace(record={"source": "a.safetensors", "sha256": "ab"})
    check_other(judge, "cd")
    with pytest.raises(ValueError, match=r"a\.safetensors is the network that is inverted"):
        check_other(judge, "ab")
