"""What a step may do: the rate of each, and what becomes of pixels outside [0, 1]."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from linear_descents import IMAGE, PIXELS, draw, plain

from depthjax import InversionConfig, invert
from depthjax.compat import enable_x64
from depthjax.inversion.problem import numbers_of

# ---------------------------------------------------------------------------------------- schedules


def total(variables: dict[str, Any], images: jax.Array) -> jax.Array:
    return images.reshape(len(images), -1).sum(1, keepdims=True)


SCHEDULES: dict[str, Callable[[np.ndarray, float, float], np.ndarray]] = {
    "constant": lambda f, first, last: np.full_like(f, first),
    "linear": lambda f, first, last: first + (last - first) * f,
    "cosine": lambda f, first, last: last + (first - last) * (1 + np.cos(np.pi * f)) / 2,
}


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(("first", "last"), [(0.3, 0.01), (0.01, 0.3)])
def test_the_rate_at_every_step(schedule: str, first: float, last: float, x64: None) -> None:
    """The gradient of `|1000 − Σ pixels|` is −1 everywhere: a step adds the rate to each pixel."""
    config = plain(
        steps=12,
        record_every=1,
        objective="l1",
        schedule=schedule,
        learning_rate=first,
        final_learning_rate=last,
    )
    start = draw(1, *IMAGE)
    found = invert(total, {}, jnp.full((1, 1), 1000.0), start, config)
    rates = -np.diff(found.trajectory.embedding_distance[:, 0]) / PIXELS
    np.testing.assert_allclose(rates, SCHEDULES[schedule](np.arange(12) / 12, first, last))
    np.testing.assert_allclose(found.final_images - start, rates.sum(), rtol=1e-9)


# ------------------------------------------------------------------------------------------- pixels


def identity(variables: dict[str, Any], images: jax.Array) -> jax.Array:
    return images


def test_clipping_keeps_every_iterate_in_the_box(x64: None) -> None:
    """For the identity the nearest image in the box is the clipped target."""
    image, start = draw(2, *IMAGE) * 4 - 1.5, draw(2, *IMAGE, seed=1) * 3 - 1
    assert InversionConfig().pixels == "clip"  # the default
    found = invert(identity, {}, image, start, InversionConfig(steps=200, learning_rate=0.1))
    np.testing.assert_allclose(found.images, jnp.clip(image, 0, 1), atol=1e-3)
    for images in (found.images, found.final_images):
        assert images.min() == 0
        assert images.max() == 1


@pytest.mark.parametrize("weight", [0.0, 1.0, 4.0])
def test_the_penalty_pulls_towards_the_box(weight: float, x64: None) -> None:
    """The minimum of `(x − t)² + w·(x − 1)²` for t > 1 is `(t + w) / (1 + w)`."""
    image = jnp.full((1, *IMAGE), 1.5).at[0, 0, 0, 0].set(-0.5).at[0, 1, 1, 1].set(0.3)
    config = plain(steps=200, learning_rate=0.1, pixels="penalty", penalty_weight=weight)
    found = invert(identity, {}, image, jnp.full((1, *IMAGE), 0.5), config)
    nearest = np.clip(np.asarray(image), 0, 1)
    np.testing.assert_allclose(found.images, (image + weight * nearest) / (1 + weight), atol=1e-9)
    expected = (1 / (1 + 1 / weight) if weight else 0) * np.square(image - nearest).sum()
    np.testing.assert_allclose(found.objective, expected, atol=1e-9)


@pytest.mark.parametrize("wide", [False, True])
def test_long_seeds_are_seeds_of_their_own(wide: bool) -> None:
    with enable_x64(wide):
        config = InversionConfig(transform="jitter:1")
        seeds = [7, 2**31, 2**31 + 1, 2**32 - 1]
        found = [
            numbers_of(config.replace(transform_seed=seed), jnp.float32)["transform_seed"]
            for seed in seeds
        ]
        keys = {tuple(np.asarray(jax.random.key_data(jax.random.key(seed)))) for seed in found}
        assert len(keys) == len(seeds)
        plain = jax.random.key_data(jax.random.key(jnp.int32(7)))
        np.testing.assert_array_equal(jax.random.key_data(jax.random.key(found[0])), plain)
