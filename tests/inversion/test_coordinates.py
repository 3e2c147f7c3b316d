"""Coordinates of an image: maps, their transposes and inverses, and the steps that they make."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from depthjax.inversion.coordinates import coordinates_of, in_coordinates

CHAINS: dict[str, tuple[str, ...]] = {
    "pixels": (),
    "fourier": ("fourier",),
    "colours": ("decorrelated",),
    "pyramid": ("pyramid:3",),
    "all": ("fourier", "decorrelated"),
    "pyramid of colours": ("pyramid:2", "decorrelated"),
}


def image_of(seed: int, shape: tuple[int, ...] = (7, 6, 3)) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape))


@pytest.mark.parametrize("name", CHAINS)
def test_encode_inverts_and_transpose_transposes(name: str, x64: Any) -> None:
    image, other = image_of(0), image_of(1)
    found = coordinates_of(CHAINS[name], 0.5, image.shape)
    z = found.encode(image)
    np.testing.assert_allclose(found.decode(z), image, atol=1e-10)
    # ⟨L z, y⟩ = ⟨z, Lᵀ y⟩
    products = jax.tree.map(jnp.vdot, z, found.transpose(other))
    np.testing.assert_allclose(
        sum(jax.tree.leaves(products)), jnp.vdot(image, other), rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("name", CHAINS)
def test_a_step_is_one_of_the_coordinates(name: str, x64: Any) -> None:
    """Adam on z of ‖L z − y‖², by hand."""
    image, wanted = image_of(0), image_of(1)
    found = coordinates_of(CHAINS[name], 0.5, image.shape)
    plain = optax.adam(0.1)
    inner = in_coordinates(plain, lambda shape: coordinates_of(CHAINS[name], 0.5, shape))
    z, state, memory = found.encode(image), inner.init(image), plain.init(found.encode(image))
    for _ in range(3):
        gradient = jax.grad(lambda z: jnp.square(found.decode(z) - wanted).sum())(z)
        change, memory = plain.update(gradient, memory, z)
        z = optax.apply_updates(z, change)
        moved, state = inner.update(2 * (image - wanted), state, image)
        image = image + moved
        np.testing.assert_allclose(image, found.decode(z), atol=1e-9)


def test_colours_are_those_of_lucid(x64: Any) -> None:
    found = coordinates_of(("decorrelated",), 0.0, (1, 1, 3))
    roots = np.array([[0.26, 0.09, 0.02], [0.27, 0.0, -0.05], [0.27, -0.09, 0.03]])
    norm = np.sqrt(0.26**2 + 0.27**2 + 0.27**2)
    for axis in range(3):
        one = jnp.zeros((1, 1, 3)).at[..., axis].set(1.0)
        np.testing.assert_allclose(found.decode(one)[0, 0], roots[:, axis] / norm, rtol=1e-12)


def test_a_pyramid_is_the_sum_of_its_levels_enlarged(x64: Any) -> None:
    found = coordinates_of(("pyramid:2",), 0.0, (4, 4, 1))
    parts = [jnp.zeros((4, 4, 1)), jnp.full((2, 2, 1), 0.3)]
    np.testing.assert_allclose(found.decode(parts), 0.3, atol=1e-12)
    flat = found.encode(jnp.full((4, 4, 1), 0.7))
    np.testing.assert_allclose(flat[0], 0, atol=1e-12)
    np.testing.assert_allclose(flat[1], 0.7, atol=1e-12)


def test_what_has_no_coordinates() -> None:
    with pytest.raises(ValueError, match="of 3 channels"):
        coordinates_of(("decorrelated",), 0.0, (4, 4, 1))
    with pytest.raises(ValueError, match="a pyramid of 9×20 has at most 4 levels, got 5"):
        coordinates_of(("pyramid:5",), 0.0, (9, 20, 3))
    coordinates_of(("pyramid:4",), 0.0, (9, 20, 3))
