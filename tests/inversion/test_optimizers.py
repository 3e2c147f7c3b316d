"""Fourier coordinates are coordinates, and optimisers work in them."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthjax import InversionConfig, invert
from depthjax.compat import enable_x64
from depthjax.inversion.coordinates import analyse, fourier, in_coordinates, synthesise

# Odd, even and single rows and columns; every other shape would compile anew.
shapes = st.sampled_from([(1, 1, 1), (1, 6, 3), (7, 1, 2), (4, 5, 3), (5, 4, 1), (6, 6, 2)])
decays = st.sampled_from([-1.0, 0.0, 0.5, 2.0])


def in_fourier(inner: optax.GradientTransformation, decay: float) -> optax.GradientTransformation:
    return in_coordinates(inner, lambda shape: fourier(shape, decay))


def image_of(shape: tuple[int, ...], seed: int = 0) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape))


@given(shape=shapes, decay=decays)
@settings(max_examples=8, deadline=None)
def test_synthesis_inverts_and_transposes_analysis(
    shape: tuple[int, int, int], decay: float
) -> None:
    with enable_x64(True):
        image, other = image_of(shape), image_of(shape, 1)
        coefficients = analyse(image, decay)
        back = synthesise(coefficients, -decay, shape[1])
        np.testing.assert_allclose(back, image, atol=1e-10)
        # ⟨A x, A y⟩ = ⟨x, Aᵀ A y⟩
        np.testing.assert_allclose(
            jnp.vdot(coefficients, analyse(other, decay)),
            jnp.vdot(image, synthesise(analyse(other, decay), decay, shape[1])),
            rtol=1e-9,
            atol=1e-9,
        )


@given(shape=shapes)
@settings(max_examples=4, deadline=None)
def test_lengths_are_kept(shape: tuple[int, int, int]) -> None:
    with enable_x64(True):
        image = image_of(shape)
        np.testing.assert_allclose(
            jnp.linalg.norm(analyse(image, 0.0)), jnp.linalg.norm(image), rtol=1e-12
        )


def test_low_frequencies_move_further(x64: Any) -> None:
    """A step against a wave is a wave, of an amplitude that falls as f^(−2·decay)."""
    column = jnp.arange(16.0)
    wave = {f: jnp.broadcast_to(jnp.cos(2 * jnp.pi * f * column / 16), (16, 16)) for f in (1, 4)}
    method = in_fourier(optax.sgd(1.0), 0.5)
    moved = {}
    for frequency, values in wave.items():
        gradient = values[..., None]
        change, _ = method.update(gradient, method.init(gradient), gradient)
        moved[frequency] = float(jnp.vdot(change, gradient) / jnp.vdot(gradient, gradient))
        np.testing.assert_allclose(change, moved[frequency] * gradient, atol=1e-12)
    np.testing.assert_allclose(moved[1] / moved[4], 4.0, rtol=1e-9)


def test_without_decay_gradient_descent_is_itself(x64: Any) -> None:
    gradient = image_of((5, 6, 3))
    plain, spectral = optax.sgd(0.3), in_fourier(optax.sgd(0.3), 0.0)
    expected, _ = plain.update(gradient, plain.init(gradient), gradient)
    change, _ = spectral.update(gradient, spectral.init(gradient), gradient)
    np.testing.assert_allclose(change, expected, atol=1e-12)


def quadratic(variables: dict[str, Any], images: jax.Array) -> jax.Array:
    return images.reshape(len(images), -1) * variables["scale"][None]


SIZE = (4, 4, 1)
VARIABLES = {"scale": np.geomspace(0.05, 1, 16)}


def distance_after(config: InversionConfig) -> jax.Array:
    target = quadratic(VARIABLES, image_of((2, *SIZE)) * 0.1 + 0.5)
    return invert(quadratic, VARIABLES, target, jnp.full((2, *SIZE), 0.5), config).objective


@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_lbfgs_without_a_line_search_beats_gradient_descent(x64: Any, decay: float) -> None:
    settings: dict[str, Any] = {"schedule": "constant", "learning_rate": 1.0, "pixels": "none"}
    lbfgs = InversionConfig(steps=40, optimizer="lbfgs", fourier_decay=decay, **settings)
    descent = InversionConfig(steps=40, optimizer="sgd", step_scale="layer", **settings)
    assert (distance_after(lbfgs) < 1e-3 * distance_after(descent)).all()


def test_the_trust_radius_bounds_every_step(x64: Any) -> None:
    config = InversionConfig(
        steps=1, optimizer="sgd", learning_rate=1e6, trust_radius=0.01, pixels="none"
    )
    start = jnp.full((2, *SIZE), 0.5)
    target = quadratic(VARIABLES, image_of((2, *SIZE)))
    moved = invert(quadratic, VARIABLES, target, start, config).final_images - start
    np.testing.assert_allclose(jnp.sqrt(jnp.square(moved).mean((1, 2, 3))), 0.01, rtol=1e-9)
    near = config.replace(learning_rate=1e-9)
    free = near.replace(trust_radius=0.0)
    np.testing.assert_array_equal(
        *(invert(quadratic, VARIABLES, target, start, c).final_images for c in (near, free))
    )


def test_examples_do_not_mix_in_the_fast_preset(x64: Any) -> None:
    config = InversionConfig.fast(steps=12)
    targets = quadratic(VARIABLES, image_of((3, *SIZE)) * 0.1 + 0.5)
    starts = jnp.clip(image_of((3, *SIZE), 1) * 0.1 + 0.5, 0, 1)
    together = invert(quadratic, VARIABLES, targets, starts, config).final_images
    for index in range(3):
        one = slice(index, index + 1)
        alone = invert(quadratic, VARIABLES, targets[one], starts[one], config).final_images
        np.testing.assert_allclose(together[one], alone, atol=1e-9)


def test_an_optimizer_of_one_s_own_is_a_function_of_the_rate() -> None:
    """By name, as what makes it, and where it lies, it is the same; made already, it is refused."""
    options = {"b1": 0.7}
    named = InversionConfig(steps=3, optimizer="adam", optimizer_options=options)
    given = InversionConfig(steps=3, optimizer=partial(optax.adam, b1=0.7))
    found = InversionConfig(steps=3, optimizer="optax:adam", optimizer_options=options)
    ends = [distance_after(config) for config in (named, given, found)]
    np.testing.assert_array_equal(ends[1], ends[0])
    np.testing.assert_array_equal(ends[2], ends[0])
    with pytest.raises(ValueError, match=r"got a GradientTransformation.*such as optax.adam"):
        InversionConfig(optimizer=optax.adam(0.1))
    with pytest.raises(ValueError, match=r"optimizer_options\['b1'\] must be a number"):
        InversionConfig(optimizer_options={"b1": [0.7]})
    with pytest.raises(ValueError, match="unknown function 'adamm'"):
        InversionConfig(optimizer="optax:adamm")
