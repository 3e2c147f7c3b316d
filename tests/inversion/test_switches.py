"""Descents under JAX's switches: 64 bits and the finder of NaNs change nothing of them."""

import jax
import numpy as np
import pytest

from depthjax import InversionConfig, autoencode

WEIGHTS = np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32)
TARGETS = np.random.default_rng(1).random((1, 6, 6, 3), np.float32)
CONFIGS = {
    "fast": InversionConfig.fast(steps=2),
    "trust": InversionConfig(steps=2, trust_radius=0.1),
}


def layer(weights, images):
    return jax.numpy.tanh(images @ weights)


def recovered(config):
    return autoencode(jax.random.key(0), layer, WEIGHTS, TARGETS, config).images


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("switch", ["jax_enable_x64", "jax_debug_nans"])
def test_a_descent_is_the_same(name, switch):
    plain = np.asarray(recovered(CONFIGS[name]))
    before = jax.config.values[switch]
    jax.config.update(switch, True)
    try:
        switched = np.asarray(recovered(CONFIGS[name]))
    finally:
        jax.config.update(switch, before)
    assert switched.dtype == np.float32
    np.testing.assert_allclose(switched, plain, atol=1e-4)
