"""Presets beside what their published code does, written out by hand."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from depthjax import InversionConfig, invert
from depthjax.inversion.presets import PRESETS
from depthjax.inversion.schedules import scheduled_rate

SIZE = (6, 8, 3)
WEIGHTS = {"w": jnp.asarray(np.random.default_rng(0).normal(size=(144, 30)) / 12)}


def layer(weights: dict[str, Any], images: jax.Array) -> jax.Array:
    return jnp.tanh(images.reshape(len(images), -1) @ weights["w"])


def images_of(seed: int) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).uniform(0.2, 0.8, size=(2, *SIZE)))


def last_image(config: InversionConfig) -> jax.Array:
    target = layer(WEIGHTS, images_of(1))
    return invert(layer, WEIGHTS, target, images_of(2), config).final_images


@pytest.mark.parametrize("name", PRESETS)
def test_each_runs_and_takes_other_fields(name: str, x64: Any) -> None:
    # The ReLUs of a plain function are not known.
    gates: Any = {"relu_gradient": "true", "soft_gates": 0.0}
    config = InversionConfig.preset(name, steps=2, record_every=1, **gates)
    assert config.steps == 2
    assert np.isfinite(last_image(config)).all()


def test_feather2023_is_projected_descent_by_steps_of_one_length(x64: Any) -> None:
    """robustness/attack_steps.py: x − g/‖g‖ · s, clipped; s halved seven times."""
    target, x = layer(WEIGHTS, images_of(1)), images_of(2)

    def loss(x: jax.Array) -> jax.Array:
        off = jnp.linalg.norm(layer(WEIGHTS, x) - target, axis=1)
        return (off / jnp.linalg.norm(target, axis=1)).sum()

    for block in range(8):
        for _ in range(3):
            g = jax.grad(loss)(x)
            size = jnp.linalg.norm(g.reshape(2, -1), axis=1)[:, None, None, None]
            x = jnp.clip(x - g / (size + 1e-10) * 0.5**block, 0, 1)
    # Its ReLUs are not of this layer.
    config = InversionConfig.preset("feather2023", steps=24, relu_gradient="true")
    np.testing.assert_allclose(last_image(config), x, atol=1e-9)


def test_mahendran2015_is_their_descent_in_our_pixels(x64: Any) -> None:
    """core/invert_nn.m: x of grey levels about the mean, m = 0.9 m − lr σ² ∇E, for one rate."""
    target, sigma, greys = layer(WEIGHTS, images_of(1)), 2.7098e4, 255.0
    x, m, slow = (images_of(2) - 0.5) * greys, 0.0, 1e-4  # images as small as this go astray

    def energy(x: jax.Array) -> jax.Array:
        matched = jnp.square(layer(WEIGHTS, x / greys + 0.5) - target).sum(1)
        tv = jnp.square(jnp.diff(x, axis=1)).sum() + jnp.square(jnp.diff(x, axis=2)).sum()
        prior = 10 / 2 * tv + 8e-10 / 2 * (x**6).sum()
        return (matched / jnp.square(target).sum(1)).sum() + prior / sigma**2

    for _ in range(5):
        m = 0.9 * m - slow * 0.004 * sigma**2 * jax.grad(energy)(x)
        x = x + m
    # Theirs forgets its momentum where the rate falls; before that the two are one.
    config = InversionConfig.preset("mahendran2015", steps=20)
    short = config.replace(steps=5, stairs=(slow,))
    np.testing.assert_allclose(last_image(short), x / greys + 0.5, rtol=1e-6)
    rates = [
        float(scheduled_rate("stairs", jnp.int32(n), 20, 1.0, 0.0, jnp.array(config.stairs)))
        for n in range(20)
    ]
    assert rates == [1.0] * 5 + [0.1] * 10 + [0.01] * 5


def test_lucid_moves_its_coefficients_by_as_much(x64: Any) -> None:
    """param/spatial.py: irfft2 of z √(HW) / max(f, 1/W) / 4, then colours and a sigmoid."""
    side = 224
    f = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    theirs = 0.05 / (4 * np.maximum(f, 1 / side))  # of a coefficient after one step of Adam
    typical = np.exp(np.log(np.maximum(f, 1 / side)).mean())
    config = InversionConfig.preset("lucid")
    ours = config.learning_rate * typical / np.maximum(f, 1 / side)
    np.testing.assert_allclose(ours, theirs, rtol=0.01)
    assert config.structure.coordinates == ("fourier", "decorrelated")
    assert config.structure.moved == ("sigmoid",)
    assert config.decay == 1


def test_stairs_need_factors() -> None:
    with pytest.raises(ValueError, match="stairs must be factors of the rate"):
        InversionConfig(schedule="stairs")
    with pytest.raises(ValueError, match="stairs must be finite numbers from 0"):
        InversionConfig(schedule="stairs", stairs="1,fast")
    given = InversionConfig(schedule="stairs", stairs="1,0.5")
    assert given == InversionConfig(schedule="stairs", stairs=[1, 0.5])


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(ValueError, match="unknown preset 'lucent'; did you mean 'lucid'"):
        InversionConfig.preset("lucent")
