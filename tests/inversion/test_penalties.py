"""Penalties against NumPy, with their gradients; the box is a box."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from depthjax.inversion.config import InversionConfig
from depthjax.inversion.penalties import PENALTIES, penalty_of, range_penalty, total_variation
from depthjax.inversion.terms import term

BY_HAND = {
    "range": lambda x: ((x - np.clip(x, 0, 1)) ** 2).sum(),
    "tv": lambda x: np.abs(np.diff(x, axis=0)).sum() + np.abs(np.diff(x, axis=1)).sum(),
    "tv2": lambda x: (np.diff(x, axis=0) ** 2).sum() + (np.diff(x, axis=1) ** 2).sum(),
    "l2": lambda x: ((x - 0.5) ** 2).sum(),
    "l6": lambda x: ((x - 0.5) ** 6).sum(),
}


def images(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.5, 0.6, (3, 5, 4, 2))


def test_every_penalty_is_tested() -> None:
    assert set(PENALTIES) == {*BY_HAND, "batch_norm"}  # of which see tests/models/test_moments.py


@pytest.mark.parametrize("name", BY_HAND)
def test_each_is_what_it_says_with_its_gradient(name: str, x64: None) -> None:
    x = jnp.asarray(images())
    penalty = PENALTIES[name].function
    np.testing.assert_allclose(penalty(x), [BY_HAND[name](one) for one in x], rtol=1e-12)
    direction = jnp.asarray(images(1))
    ahead, behind = (penalty(x + h * direction).sum() for h in (1e-6, -1e-6))
    along = (jax.grad(lambda x: penalty(x).sum())(x) * direction).sum()
    np.testing.assert_allclose(along, (ahead - behind) / 2e-6, rtol=1e-6)


def test_no_penalty_inside_the_box() -> None:
    x = jnp.asarray(images()).clip(0, 1)
    np.testing.assert_array_equal(range_penalty(x), 0)
    np.testing.assert_array_equal(jax.grad(lambda x: range_penalty(x).sum())(x), 0)


def test_the_penalty_is_the_squared_distance_and_pushes_inside() -> None:
    x = jnp.full((3, 2, 2, 3), 0.5).at[1, 0, 0, 0].set(1.5).at[1, 1, 1, 2].set(-0.2)
    x = x.at[2].set(-1)
    np.testing.assert_allclose(range_penalty(x), [0, 0.25 + 0.04, 12], rtol=1e-6)
    gradient = np.asarray(jax.grad(lambda x: range_penalty(x).sum())(x))
    nearest = np.clip(np.asarray(x), 0, 1)
    np.testing.assert_allclose(gradient, 2 * (np.asarray(x) - nearest), rtol=1e-6)


def test_a_flat_image_has_no_variation_and_no_pull() -> None:
    x = jnp.full((1, 4, 4, 3), 0.3)
    value, gradient = jax.value_and_grad(lambda x: total_variation(x).sum())(x)
    assert value == 0 and (gradient == 0).all()


def test_penalties_add_with_their_weights() -> None:
    x = jnp.asarray(images(), jnp.float32)

    def brightest(images: jax.Array) -> jax.Array:
        return images.max((1, 2, 3))

    config = InversionConfig(penalty=0.5 * term(brightest) + "tv:2", pixels="penalty")
    weights = jnp.asarray([one.weight for one in config.penalties])
    ours = penalty_of(x, None, config.structure.penalties, weights)
    named = [PENALTIES[name].function(x) for name in ("tv", "range")]
    np.testing.assert_allclose(ours, 0.5 * brightest(x) + 2 * named[0] + named[1], rtol=1e-6)
    assert InversionConfig().structure.penalties == ()
