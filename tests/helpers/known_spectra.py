"""Linear layers whose singular values are known."""

import jax.numpy as jnp
import numpy as np

from depthjax.jacobian import linearize


def matrix_layer(variables, x):
    """A linear layer, whose Jacobian is known."""
    return x.reshape(len(x), -1) @ variables.T


def maps_of(matrix, dtype=np.float64, count=1):
    matrix = jnp.asarray(matrix, dtype)
    return linearize(matrix_layer, matrix, np.zeros((count, 1, matrix.shape[1], 1), dtype))


def with_spectrum(values, m, n, seed=0):
    random = np.random.default_rng(seed)
    u = np.linalg.qr(random.normal(size=(m, len(values))))[0]
    v = np.linalg.qr(random.normal(size=(n, len(values))))[0]
    return u * np.asarray(values, float) @ v.T
