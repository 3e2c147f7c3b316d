"""Random changes of images: what they do, and descents that see images through them."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from depthjax import InversionConfig, Layer, autoencode, invert
from depthjax.inversion import transformations
from depthjax.inversion.transformations import TRANSFORMATIONS, checked_transform, transformed
from depthjax.models import build_model, init_variables

KEY = jax.random.key(0)
NOTHING = {"jitter": "0", "scale": "1:1", "rotate": "0", "crop": "1", "noise": "0"}
SOME = {"jitter": "2", "scale": "0.8:1.2", "rotate": "20", "crop": "0.5", "noise": "0.1"}


def images(*shape):
    return jnp.asarray(np.random.default_rng(0).random(shape or (3, 7, 6, 2)))


@functools.partial(jax.jit, static_argnums=0)
def changed(pieces, key, x, numbers):
    return transformed(key, x, pieces, numbers)


def change(text, x, key=KEY):
    steps = checked_transform(text)
    numbers = jnp.asarray(transformations.numbers_of(steps), x.dtype)
    return changed(transformations.pieces_of(steps), key, x, numbers)


def test_every_transformation_is_tested():
    assert set(TRANSFORMATIONS) == set(NOTHING) == set(SOME)


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_numbers_that_change_nothing(name, x64):
    x = images()
    np.testing.assert_allclose(change(f"{name}:{NOTHING[name]}", x), x, atol=1e-12)


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_an_image_is_changed_as_it_is_alone_and_by_each_key_otherwise(name, x64):
    x, text = images(), f"{name}:{SOME[name]}"
    there = change(text, x)
    np.testing.assert_allclose(there[1:2], change(text, x[1:2]), atol=1e-12)
    draws = [change(text, x, jax.random.key(seed)) for seed in range(8)]
    assert any(float(jnp.abs(one - there).max()) > 1e-3 for one in draws)
    slope = jax.grad(lambda x: (change(text, x) ** 2).sum())(x)
    direction = images()[::-1]
    values = [float((change(text, x + h * direction) ** 2).sum()) for h in (1e-6, -1e-6)]
    along = float((slope * direction).sum())
    np.testing.assert_allclose(along, (values[0] - values[1]) / 2e-6, rtol=1e-6)


def test_jitter_rolls_by_no_more_than_it_may():
    x = images(1, 9, 9, 1)
    rolled = {
        (down, right): np.roll(x, (down, right), (1, 2))
        for down in (-2, -1, 0, 1, 2)
        for right in (-2, -1, 0, 1, 2)
    }
    seen = set()
    for seed in range(60):
        there = change("jitter:2", x, jax.random.key(seed))
        seen |= {by for by, expected in rolled.items() if np.array_equal(there, expected)}
    assert len(seen) > 15 and {abs(n) for by in seen for n in by} == {0, 1, 2}


def test_sampling_turns_and_enlarges():
    sampled = jax.jit(transformations._sampled)
    x = images(2, 7, 7, 2)
    quarter = jnp.array([[0.0, -1.0], [1.0, 0.0]])
    turned = sampled(x, quarter, jnp.zeros(2))
    np.testing.assert_allclose(turned, np.rot90(x, -1, (1, 2)), atol=1e-5)
    twice = sampled(x, jnp.eye(2) / 2, jnp.zeros(2))
    np.testing.assert_allclose(
        twice[:, 1::2, 1::2], x[:, 2:5, 2:5], atol=1e-6
    )  # 3 of 7 in the middle
    np.testing.assert_allclose(twice[:, 2, 3], (x[:, 2, 3] + x[:, 3, 3]) / 2, atol=1e-6)
    half = sampled(x, 2 * jnp.eye(2), jnp.zeros(2))
    np.testing.assert_allclose(half[:, 0, 0], x[:, 0, 0], atol=1e-6)  # its nearest border pixel


def test_crops_lie_within_the_image():
    x = jnp.linspace(0, 1, 9)[None, :, None, None] * jnp.ones((1, 9, 9, 1))
    for seed in range(20):
        rows = np.asarray(change("crop:0.5", x, jax.random.key(seed)))[0, :, 0, 0]
        assert 0.5 - 1e-5 <= rows[-1] - rows[0] <= 1 + 1e-5
        np.testing.assert_allclose(np.diff(rows), rows[1] - rows[0], atol=1e-5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("jiter:8", "unknown transformation 'jiter'; did you mean 'jitter'"),
        ("jitter", "jitter:pixels must be 0 or more pixels, got 'jitter'"),
        ("jitter:-1", "must be 0 or more pixels"),
        ("scale:1.2:0.9", "scale:least:most must be a least and a most factor above 0"),
        ("scale:0.9", "scale:least:most must be"),
        ("crop:1.5", "crop:least must be a side above 0 and at most 1"),
        ("jitter:8,rotate:nan", "rotate"),
        ("no_such:f", "no module 'no_such' for the transformation"),
    ],
)
def test_a_config_refuses(given, message):
    with pytest.raises(ValueError, match=message):
        InversionConfig(transform=given)


def test_numbers_compile_nothing_again():
    config = InversionConfig(transform="jitter:8, scale:0.9:1.1")
    assert config.transform == ("jitter:8", "scale:0.9:1.1")
    assert config.structure == config.replace(transform=["jitter:1", "scale:1:2"]).structure
    assert config.structure != config.replace(transform="scale:0.9:1.1,jitter:8").structure
    with pytest.raises(ValueError, match="gauss_newton takes no transform"):
        config.replace(optimizer="gauss_newton")


@pytest.fixture(scope="module")
def layer():
    model = build_model("mlp", widths=(30,))
    return Layer(model, "fc1"), init_variables(model, KEY, image_size=4)


def test_what_is_recorded_is_of_the_images_as_they_are(layer):
    x = images(3, 4, 4, 3).astype(jnp.float32)
    config = InversionConfig(transform="noise:0.3,jitter:1", steps=12, record_every=4)
    found = autoencode(KEY, *layer, x, config)
    last = found.inversion.trajectory.embedding_distance[-1]
    np.testing.assert_allclose(last, found.embedding_distance, rtol=1e-4)
    np.testing.assert_array_equal(found.images, found.inversion.final_images)
    plain = autoencode(KEY, *layer, x, config.replace(transform=()))
    assert not np.allclose(found.images, plain.images, atol=1e-3)
    first = [one.inversion.trajectory.embedding_distance[0] for one in (found, plain)]
    np.testing.assert_allclose(*first, rtol=1e-5)


def test_an_image_is_recovered_as_it_is_alone_and_by_each_seed_otherwise(layer):
    x = images(3, 4, 4, 3).astype(jnp.float32)
    start, target = 0.5 * jnp.ones_like(x), layer[0](layer[1], x)
    config = InversionConfig(transform="noise:0.3", steps=5)
    together = invert(*layer, target, start, config).images
    apart = invert(*layer, target, start, config, max_batch=1).images
    np.testing.assert_allclose(together, apart, atol=1e-5)
    other = invert(*layer, target, start, config.replace(transform_seed=1)).images
    assert not np.allclose(together, other, atol=1e-3)


def test_a_function_of_ones_own_keeps_the_shape(layer):
    x = images(2, 4, 4, 3).astype(jnp.float32)
    target = layer[0](layer[1], x)
    mirrored = InversionConfig(transform=lambda key, images: images[:, :, ::-1], steps=300)
    found = invert(*layer, target, 0.5 * jnp.ones_like(x), mirrored).final_images
    reached = layer[0](layer[1], found[:, :, ::-1])
    far = jnp.linalg.norm(layer[0](layer[1], found) - target)
    assert jnp.linalg.norm(reached - target) < far / 10
    with pytest.raises(ValueError, match=r"makes \(2, 3, 4, 3\) of images \(2, 4, 4, 3\)"):
        invert(*layer, target, x, InversionConfig(transform=lambda key, images: images[:, 1:]))
