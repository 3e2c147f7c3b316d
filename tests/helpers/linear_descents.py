"""Descents through linear layers and how to compare them, for the tests of tests/inversion."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from depthjax import Inversion, InversionConfig

KEY = jax.random.key(11)
IMAGE = (2, 2, 3)
PIXELS = 12


def linear(variables: dict[str, Any], images: jax.Array) -> jax.Array:
    return images.reshape(len(images), -1) @ variables["w"]


def draw(*shape: int, seed: int = 0, dtype: Any = None) -> jax.Array:
    """Pixels; float64 where it is enabled."""
    return jnp.asarray(np.random.default_rng(seed).random(shape), dtype or jnp.zeros(()).dtype)


def matrix(outputs: int, low: float = 1.0, high: float = 2.0, seed: int = 1) -> dict[str, Any]:
    """A matrix `[12, outputs]` whose singular values lie between low and high."""
    u, _, v = np.linalg.svd(
        np.random.default_rng(seed).normal(size=(PIXELS, outputs)), full_matrices=False
    )
    values = np.linspace(high, low, min(PIXELS, outputs))
    return {"w": jnp.asarray((u * values) @ v, jnp.zeros(()).dtype)}


def plain(**fields: Any) -> InversionConfig:
    """Gradient descent at a constant rate, pixels free."""
    recipe = {"optimizer": "sgd", "schedule": "constant", "objective": "squared_l2"}
    return InversionConfig(**(recipe | {"pixels": "none"} | fields))


def leaves_equal(one: Any, other: Any) -> None:
    """Bit for bit."""
    for x, y in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(x, y)


def leaves_close(one: Any, other: Any, tolerance: float) -> None:
    for x, y in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)


def example(found: Inversion, index: int) -> Inversion:
    """One example of a batch, still with its batch axis."""
    keep = slice(index, index + 1)
    trajectory = dataclasses.replace(
        found.trajectory,
        **{
            name: getattr(found.trajectory, name)[:, keep]
            for name in ("objective", "embedding_distance", "input_distance")
        },
    )
    rest = {
        field.name: getattr(found, field.name)[keep]
        for field in dataclasses.fields(found)
        if field.name not in ("trajectory", "split", "frames")
    }
    return Inversion(**rest, trajectory=trajectory, split=found.split)


def oscillating() -> tuple[dict[str, Any], jax.Array, jax.Array, InversionConfig]:
    """A descent of constant steps on a distance: it overshoots, up and down."""
    variables = matrix(20)
    start = draw(3, *IMAGE)
    target = linear(variables, draw(3, *IMAGE, seed=1))
    config = plain(objective="l2", learning_rate=0.2, record_every=1)
    return variables, start, target, config
