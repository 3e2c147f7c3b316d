"""The damped, linearised step against dense linear algebra, and as an optimiser."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from depthjax import InversionConfig, invert
from depthjax.inversion.coordinates import Coordinates, coordinates_of
from depthjax.inversion.gauss_newton import adapted, change

SIZE = (2, 4, 3)
VARIABLES = {"w": np.random.default_rng(0).normal(size=(24, 30))}


def curved(variables: dict[str, Any], images: jax.Array) -> jax.Array:
    return jnp.tanh(images.reshape(len(images), -1) @ variables["w"] * 0.3)


def images_of(seed: int, batch: int = 2) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).uniform(size=(batch, *SIZE)))


@pytest.mark.parametrize("names", [(), ("fourier",), ("fourier", "decorrelated")])
def test_the_step_solves_the_damped_equations(x64: Any, names: tuple[str, ...]) -> None:
    images, damping = images_of(1), jnp.array([0.1, 2.0])
    target = curved(VARIABLES, images_of(2))
    coordinates = coordinates_of(names, 0.5, SIZE)
    each = Coordinates(*map(jax.vmap, coordinates))

    def embed(images: jax.Array) -> jax.Array:
        return curved(VARIABLES, images)

    embedding, step = change(embed, images, target, damping, each, iterations=60)
    np.testing.assert_allclose(embedding, embed(images), rtol=1e-12)
    there = coordinates.encode(images[0])
    to_image = jax.jacobian(coordinates.decode)(there).reshape(24, -1)
    for index in range(2):
        jacobian = jax.jacobian(lambda x: embed(x[None])[0])(images[index]).reshape(30, 24)
        j = np.asarray(jacobian @ to_image)
        gradient = j.T @ np.asarray(target - embedding)[index]
        pushed = j @ gradient
        shift = damping[index] * (pushed @ pushed) / (gradient @ gradient)
        expected = to_image @ np.linalg.solve(j.T @ j + shift * np.eye(j.shape[1]), gradient)
        np.testing.assert_allclose(step[index].ravel(), expected, atol=1e-8)


def test_damping_follows_success() -> None:
    damping = adapted(jnp.array([1.0, 1.0]), jnp.array([True, False]))
    assert damping[0] < 1 < damping[1]


CONFIG = InversionConfig(
    steps=15,
    optimizer="gauss_newton",
    learning_rate=1.0,
    schedule="constant",
    record_every=1,
    optimizer_options={"iterations": 24},
)


def test_it_never_accepts_a_worse_image_and_arrives(x64: Any) -> None:
    target = curved(VARIABLES, images_of(2))
    found = invert(curved, VARIABLES, target, images_of(1), CONFIG, compare_to=images_of(2))
    objective = found.trajectory.objective
    assert (np.diff(objective, axis=0) <= 0).all()
    assert (found.objective < 1e-12 * objective[0]).all()
    # More outputs than inputs: the image is the only one with this embedding.
    np.testing.assert_allclose(found.images, images_of(2), atol=1e-4)


def test_examples_do_not_mix(x64: Any) -> None:
    target, start = curved(VARIABLES, images_of(2)), images_of(1)
    config = CONFIG.replace(steps=3, optimizer_options={"iterations": 5})
    together = invert(curved, VARIABLES, target, start, config).final_images
    alone = invert(curved, VARIABLES, target[1:], start[1:], config).final_images
    np.testing.assert_allclose(together[1:], alone, atol=1e-9)


def test_an_image_that_has_arrived_stays(x64: Any) -> None:
    start = images_of(2)
    found = invert(curved, VARIABLES, curved(VARIABLES, start), start, CONFIG.replace(steps=2))
    np.testing.assert_array_equal(found.final_images, start)


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"objective": "l1"}, "needs an objective of squared_l2"),
        ({"pixels": "penalty"}, "no penalty"),
        ({"optimizer_options": {"iteration": 3}}, "did you mean 'iterations'"),
        ({"optimizer_options": {"damping": 0}}, "damping must be positive"),
    ],
)
def test_what_it_cannot_do_is_refused(fields: dict[str, Any], wanted: str) -> None:
    with pytest.raises(ValueError, match=wanted):
        InversionConfig(optimizer="gauss_newton", **fields)
