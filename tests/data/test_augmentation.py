"""Random changes: what they may do to a pixel, and that without a key nothing is random."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthjax.data import Augmentation, augment

KEY = jax.random.key(0)


def random_bytes(*shape: int, seed: int = 0) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8))


def test_bytes_become_floats():
    images = random_bytes(3, 4, 5, 3)
    found = augment(KEY, images, Augmentation())
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.float32(images) / 255, rtol=1e-6)


def test_noise_comes_through_unclipped():
    noise = jnp.array([[[[-0.5], [1.5]]]])
    flipped = augment(KEY, noise, Augmentation(flip=True))
    assert sorted(np.ravel(flipped)) == [-0.5, 1.5]


@settings(deadline=None, max_examples=8)
@given(pad=st.integers(0, 3), crop=st.integers(0, 5), height=st.integers(5, 7))
def test_a_crop_is_a_window_of_the_mirrored_image(pad, crop, height):
    image = np.arange(height * 6, dtype=np.float32).reshape(1, height, 6, 1) / 100
    augmentation = Augmentation(pad=pad, crop=crop)
    found = np.asarray(augment(jax.random.key(pad), jnp.asarray(image), augmentation))[0, ..., 0]
    out = (crop, crop) if crop else (height, 6)
    assert found.shape == out
    padded = np.pad(image[0, ..., 0], pad, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, out)
    assert (windows == found).all(axis=(2, 3)).any()


def test_images_of_a_batch_change_independently():
    images = jnp.broadcast_to(random_bytes(1, 9, 9, 3), (64, 9, 9, 3))
    found = np.asarray(augment(KEY, images, Augmentation(pad=2, flip=True)))
    # 25 places and two sides: 64 draws meet about 36 of the 50.
    assert len(np.unique(found.reshape(64, -1), axis=0)) > 25


def test_about_half_are_flipped():
    plain = np.tile(np.float32([0, 1])[None, None, :, None], (1000, 1, 1, 1))
    images = jnp.asarray(plain)
    found = np.asarray(augment(KEY, images, Augmentation(flip=True)))
    flipped = (found == plain[:, :, ::-1]).all(axis=(1, 2, 3))
    kept = (found == plain).all(axis=(1, 2, 3))
    assert (flipped | kept).all()
    assert 430 < flipped.sum() < 570


def test_grey_takes_colour_away_for_good():
    images = random_bytes(4, 3, 3, 3)
    grey = np.asarray(augment(KEY, images, Augmentation(grey=True)))
    weights = np.float32([0.299, 0.587, 0.114])
    expected = np.broadcast_to((np.float32(images) / 255 @ weights)[..., None], grey.shape)
    np.testing.assert_allclose(grey, expected, rtol=1e-5)
    np.testing.assert_array_equal(grey, augment(None, images, Augmentation(grey=True)))
    # A tint after it is one colour for the whole image: its channels stay proportional.
    tinted = np.asarray(augment(KEY, images // 2, Augmentation(grey=True, tint=0.3)))
    ratios = tinted[..., 1:] / np.maximum(tinted[..., :1], 1e-6)
    np.testing.assert_allclose(ratios, np.broadcast_to(ratios[:, :1, :1], ratios.shape), rtol=1e-3)


def test_jitter_changes_by_no_more_than_asked():
    flat = jnp.full((500, 2, 2, 3), 0.4)
    found = np.asarray(augment(KEY, flat, Augmentation(jitter=0.25)))
    np.testing.assert_allclose(found, np.broadcast_to(found[:, :1, :1, :1], found.shape), rtol=1e-4)
    factors = found[:, 0, 0, 0] / 0.4  # contrast and saturation leave a flat image alone
    assert 0.75 <= factors.min() < 0.77 and 1.23 < factors.max() <= 1.25 + 1e-5
    extreme = np.asarray(
        augment(KEY, random_bytes(50, 8, 8, 3), Augmentation(jitter=1.0, tint=1.0))
    )
    assert extreme.min() >= 0 and extreme.max() <= 1


def test_without_a_key_nothing_is_random():
    images = random_bytes(2, 8, 8, 3)
    augmentation = Augmentation(pad=2, crop=4, flip=True, jitter=0.5, tint=0.5)
    found = augment(None, images, augmentation)
    np.testing.assert_allclose(found, np.float32(images)[:, 2:6, 2:6] / 255, rtol=1e-6)


def test_the_same_key_gives_the_same_and_compiles_once():
    augmentation = Augmentation(pad=1, flip=True, jitter=0.3)
    images = random_bytes(3, 6, 7, 3)
    augment(KEY, images, augmentation)
    before = augment._cache_size()
    again = augment(KEY, images, Augmentation(pad=1, flip=True, jitter=0.3))
    np.testing.assert_array_equal(again, augment(KEY, images, augmentation))
    assert not np.array_equal(again, augment(jax.random.key(1), images, augmentation))
    assert augment._cache_size() == before


@pytest.mark.parametrize(
    ("fields", "message"),
    [({"pad": -1}, "pad"), ({"jitter": 2.0}, "from 0 to 1"), ({"tint": -0.1}, "from 0 to 1")],
)
def test_fields_that_make_no_sense(fields, message):
    with pytest.raises(ValueError, match=message):
        Augmentation(**fields)


def test_what_does_not_fit():
    with pytest.raises(ValueError, match="crop of 9×9 does not fit images of 4×4"):
        augment(KEY, random_bytes(1, 4, 4, 3), Augmentation(crop=9))
    with pytest.raises(ValueError, match="mirrors more"):
        augment(KEY, random_bytes(1, 4, 4, 3), Augmentation(pad=4))
