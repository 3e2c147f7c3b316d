"""The image of a small circle under a layer."""

import jax.numpy as jnp
import numpy as np
from known_spectra import matrix_layer, with_spectrum

from depthjax.analysis.ball_section import ball_section


def test_a_linear_layer_maps_a_circle_to_an_ellipse():
    """As long as the stretch of the first direction, as thin as that of the others allows."""
    values = np.array([5.0, *[0.5] * 24])
    matrix = with_spectrum(values, 40, 25).astype(np.float32)
    image = np.full((1, 5, 5, 1), 0.5, np.float32)
    linear, measured = ball_section(matrix_layer, matrix, image, points=16)
    assert linear.shape == (16, 2)
    np.testing.assert_allclose(measured, linear, atol=1e-3)
    np.testing.assert_allclose(np.abs(linear).max(0), [1, 0.1], rtol=1e-3)
    smaller, _ = ball_section(matrix_layer, matrix, image, points=16, radius=1e-3)
    np.testing.assert_allclose(smaller, linear, atol=1e-5)


def test_a_layer_is_compiled_once_for_all_points():
    traces = []

    def layer(variables, images):
        traces.append(images.shape)
        return jnp.tanh(images.reshape(len(images), -1) @ variables)

    matrix = with_spectrum(np.linspace(1, 0.1, 4), 4, 4).astype(np.float32)
    ball_section(layer, matrix, np.full((1, 2, 2, 1), 0.5, np.float32), points=16)
    assert len(traces) < 8
