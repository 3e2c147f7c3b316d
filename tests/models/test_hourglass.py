"""The network of the deep image prior computes Flax's convolutions, in its own way."""

import flax.linen as nn
import jax
import numpy as np
import pytest

from depthjax.models.hourglass import _by_places


@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("size", [1, 3])
def test_by_places_is_a_convolution(size, strides):
    x = jax.random.normal(jax.random.key(0), (2, 7, 6, 3))
    settings = {"strides": strides, "padding": [(size // 2, size // 2)] * 2}
    plain = nn.Conv(5, (size, size), **settings)
    ours = nn.Conv(5, (size, size), **settings, conv_general_dilated=_by_places)
    variables = plain.init(jax.random.key(1), x)

    def gradients(network, y):
        return jax.vjp(network.apply, variables, x)[1](y)

    y = plain.apply(variables, x)
    close = {"rtol": 1e-5, "atol": 1e-5}
    np.testing.assert_allclose(ours.apply(variables, x), y, **close)
    jax.tree.map(
        lambda one, other: np.testing.assert_allclose(one, other, **close),
        *(gradients(network, y) for network in (ours, plain)),
    )
