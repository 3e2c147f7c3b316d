"""Pairs that a layer cannot tell apart, for layers whose null space is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthjax.analysis.witnesses import eigendistortions, null_space_witness
from depthjax.images import load_image, save_png
from depthjax.inversion.metrics import measure

KEY = jax.random.key(0)
SHORT = {"steps": 40, "iterations": 4, "draws": 2}


def draw(batch=2, size=4, seed=0):
    """Away from black and white."""
    random = np.random.default_rng(seed)
    return random.uniform(0.2, 0.8, (batch, size, size, 3)).astype(np.float32)


def scaled(variables, images):
    """Each channel by a weight; 0: the layer does not see it."""
    return images * variables.reshape(1, 1, 1, 3)


def linear(variables, images):
    return images.reshape(len(images), -1) @ variables


def largest(variables, images):
    """Max pooling: of four pixels one is seen."""
    batch, height, width, channels = images.shape
    windows = images.reshape(batch, height // 2, 2, width // 2, 2, channels)
    return variables * windows.max((2, 4))


RED = jnp.array([1.0, 0.0, 0.0])
ALL = jnp.ones(3)


def assert_on_grid(images):
    levels = np.asarray(images, np.float64) * 255
    np.testing.assert_allclose(levels, np.rint(levels), atol=1e-4)
    assert levels.min() >= 0 and levels.max() <= 255


# ---------------------------------------------------------------------------------------- witnesses


def test_what_is_not_seen_goes_to_the_edge_of_the_range_and_the_rest_stays():
    found = null_space_witness(KEY, scaled, RED, draw(), **SHORT)
    np.testing.assert_array_equal(found.rounded[..., 0], found.targets[..., 0])
    assert set(np.unique(found.rounded[..., 1:])) == {0.0, 1.0}
    np.testing.assert_allclose(found.embedding_ratio, 0, atol=1e-5)
    assert (found.input_ratio > 5).all()


def test_a_walk_to_other_images_brings_over_all_that_is_not_seen():
    others = draw(seed=1)
    found = null_space_witness(KEY, scaled, RED, draw(), towards=others, **SHORT)
    assert np.abs(found.rounded - found.targets)[..., 0].max() < 0.03
    assert (found.embedding_ratio <= 0.1).all()
    assert np.abs(found.rounded[..., 1:] - others[..., 1:]).max() <= 1 / 255


@settings(max_examples=5)
@given(st.sampled_from([(1, 2), (3, 3)]), st.integers(0, 2**31 - 1))
def test_differences_lie_in_the_null_space_of_a_linear_layer(shape, seed):
    """All but what a tenth of the noisy copy's distance allows."""
    batch, size = shape
    images = draw(batch, size, seed)
    n = images[0].size
    seen, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(n, n // 3)))
    found = null_space_witness(KEY, linear, jnp.asarray(seen, jnp.float32), images, **SHORT)
    difference = (found.rounded - found.targets).reshape(batch, n)
    share = np.linalg.norm(difference @ seen, axis=1) / np.linalg.norm(difference, axis=1)
    assert (share < 0.1).all()
    assert (found.embedding_ratio <= 0.1).all()
    assert ((found.images >= 0) & (found.images <= 1)).all()
    assert_on_grid(found.rounded)


def test_of_a_window_only_its_maximum_is_seen():
    found = null_space_witness(KEY, largest, jnp.ones(()), draw(size=8), **SHORT)
    assert (found.embedding_ratio <= 0.1).all() and (found.input_ratio > 4).all()
    before, after = largest(1, found.targets), largest(1, found.rounded)
    assert np.abs(before - after).mean() < 0.02


def test_there_is_no_witness_against_a_layer_that_keeps_everything():
    found = null_space_witness(KEY, scaled, ALL, draw(), **SHORT)
    np.testing.assert_allclose(found.input_ratio, found.embedding_ratio, rtol=1e-4)
    assert (found.input_ratio <= 0.1).all() and (found.input_ratio > 0.05).all()


def test_where_rounding_shows_the_image_itself_is_all_there_is():
    """Rounding 47 grey mixtures alone makes ρ of about 0.02."""
    random = np.random.default_rng(0)
    seen, _ = np.linalg.qr(random.normal(size=(48, 47)))
    weights = jnp.asarray(seen, jnp.float32)
    found = null_space_witness(KEY, linear, weights, draw(), ratio=1e-3, **SHORT)
    np.testing.assert_array_equal(found.rounded, found.targets)
    assert (found.input_ratio == 0).all() and np.isposinf(found.psnr).all()
    wider = null_space_witness(KEY, linear, weights, draw(), ratio=0.1, **SHORT)
    assert (wider.input_ratio > 0.1).all()


def test_numbers_are_those_of_the_files(tmp_path):
    key = jax.random.key(3)
    found = null_space_witness(KEY, largest, jnp.ones(()), draw(), reference_key=key, **SHORT)
    read = {}
    for name in ("targets", "rounded"):
        pictures = []
        for number, image in enumerate(getattr(found, name)):
            save_png(tmp_path / f"{name}{number}.png", image)
            pictures.append(load_image(tmp_path / f"{name}{number}.png"))
        read[name] = np.stack(pictures)
        np.testing.assert_array_equal(read[name], getattr(found, name))
    pair = jnp.asarray(read["targets"]), jnp.asarray(read["rounded"])
    again = measure(largest, jnp.ones(()), *pair, key, draws=2)
    np.testing.assert_allclose(found.embedding_ratio, again.embedding_ratio, rtol=1e-4)
    np.testing.assert_allclose(found.input_ratio, again.input_ratio, rtol=1e-4)
    square = np.square(read["targets"] - read["rounded"]).mean((1, 2, 3))
    np.testing.assert_allclose(found.psnr, 10 * np.log10(1 / square), rtol=1e-4)


def test_other_images_of_the_batch_change_nothing():
    together, others = draw(3), draw(3, seed=5)
    others[0] = together[0]
    first, second = (
        null_space_witness(KEY, largest, jnp.ones(()), images, **SHORT)
        for images in (together, others)
    )
    np.testing.assert_array_equal(first.rounded[0], second.rounded[0])
    assert (first.rounded[1] != second.rounded[1]).any()


# --------------------------------------------------------------------------------- eigendistortions


def test_top_directions_are_those_that_the_layer_stretches_most():
    found = eigendistortions(scaled, jnp.array([1.0, 10.0, 1.0]), draw(), k=2, draws=2)
    np.testing.assert_allclose(found.singular_values, 10, rtol=1e-4)
    np.testing.assert_allclose(found.directions[..., [0, 2]], 0, atol=1e-3)
    norms = np.linalg.norm(found.directions.reshape(4, -1), axis=1)
    np.testing.assert_allclose(norms, 1, rtol=1e-5)
    across = (found.directions[0] * found.directions[1]).sum((1, 2, 3))
    np.testing.assert_allclose(across, 0, atol=1e-5)


def test_steps_both_ways_of_the_size_asked_for_move_the_embedding_that_far():
    weights, key = jnp.array([1.0, 10.0, 1.0]), jax.random.key(3)
    settings = {"reference_key": key, "draws": 2}
    found = eigendistortions(scaled, weights, draw(size=8), k=2, rmse=10 / 255, **settings)
    assert found.images.shape == (2, 2, *draw(size=8).shape)
    assert_on_grid(found.images)
    change = found.images - found.targets
    np.testing.assert_allclose(np.sqrt(np.square(change).mean((-3, -2, -1))), 10 / 255, rtol=0.05)
    inside = ((found.images > 0) & (found.images < 1)).all(0)  # where neither was clipped
    assert inside.mean() > 0.9
    np.testing.assert_allclose(change[0][inside], -change[1][inside], atol=1.01 / 255)
    pair = jnp.asarray(found.targets), jnp.asarray(found.images[0])
    again = measure(scaled, weights, *pair, key, draws=2)
    np.testing.assert_allclose(found.embedding_ratio[0], again.embedding_ratio, rtol=1e-4)
    np.testing.assert_allclose(found.input_ratio[0], again.input_ratio, rtol=1e-4)
    # √3·10 / √102: against noise that lies in all channels alike.
    gain = found.embedding_ratio / found.input_ratio
    np.testing.assert_allclose(gain, 10 * np.sqrt(3 / 102), rtol=0.2)


# ------------------------------------------------------------------------------------------ refusal


def blind(variables, images):
    return images[:, 0, 0] * variables.reshape(1, 3)


NAN = np.where(np.arange(3) == 1, np.nan, draw(1))
BAD = {
    "NaN": (scaled, ALL, NAN, {}, "NaN or infinite pixels"),
    "integers": (scaled, ALL, np.zeros((1, 4, 4, 3), np.uint8), {}, "must be floats"),
    "range": (scaled, ALL, draw() * 255, {}, "must lie in"),
    "one image": (scaled, ALL, draw()[0], {}, "must be floats"),
    "constant": (blind, jnp.zeros(3), draw(), {}, "layer 'blind' is constant"),
}
WALK = {
    "ratio": ({"ratio": 0.0}, "must be positive"),
    "steps": ({"steps": 0}, "must be positive"),
    "goal": ({"towards": draw(1)}, "give one image to come near to"),
    "goal NaN": ({"towards": NAN}, "NaN or infinite pixels"),
}
STEP = {"rmse": ({"rmse": 0.0}, "rmse must be positive"), "k": ({"k": 49}, "48 singular values")}


@pytest.mark.parametrize("function", ["witness", "eigendistortion"])
@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_image_or_tells_nothing_is_refused(kind, function):
    layer, variables, images, others, message = BAD[kind]
    with pytest.raises(ValueError, match=message) as error:
        if function == "witness":
            null_space_witness(KEY, layer, variables, images, **others)
        else:
            eigendistortions(layer, variables, images, **others)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("kind", WALK)
def test_walks_that_go_nowhere_are_refused(kind):
    others, message = WALK[kind]
    with pytest.raises(ValueError, match=message):
        null_space_witness(KEY, scaled, ALL, draw(), **others)


@pytest.mark.parametrize("kind", STEP)
def test_directions_and_sizes_that_do_not_exist_are_refused(kind):
    others, message = STEP[kind]
    with pytest.raises(ValueError, match=message):
        eigendistortions(scaled, ALL, draw(), **others)
