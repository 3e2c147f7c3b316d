"""The Jacobian of a layer at an image: products with it, and what its singular values are.

A layer is locally the linear map `J = ∂O_l/∂a`. Directions that J does not stretch are directions
that the embedding does not tell (arXiv 2211.06496 argues so in words). J itself is far too large to
write down; all but the dense functions need products `J v` and `Jᵀ u` alone.

    maps = linearize(layer, variables, images)          # the forward pass is done here, once
    top = top_singular_values(maps, k=10)
    size = moments(maps, jax.random.key(0))
    counts = count_above(spectral_quadrature(maps), 1e-3 * top.values[0, 0])
"""

from depthjax.jacobian.conditioning import (
    ConditionNumber,
    SmallestSingular,
    condition_number,
    smallest_nonzero,
)
from depthjax.jacobian.convolution import conv_singular_values
from depthjax.jacobian.dense import dense_jacobian, dense_singular_values, exact_jacobian
from depthjax.jacobian.linearization import LinearizedLayer, dot_test, linearize, resolution
from depthjax.jacobian.moments import Estimate, Moments, moments, stable_rank
from depthjax.jacobian.quadrature import (
    Counts,
    SpectralQuadrature,
    bracket_above,
    count_above,
    spectral_density,
    spectral_quadrature,
)
from depthjax.jacobian.top import TopSingular, top_singular_values

__all__ = [
    "ConditionNumber",
    "Counts",
    "Estimate",
    "LinearizedLayer",
    "Moments",
    "SmallestSingular",
    "SpectralQuadrature",
    "TopSingular",
    "bracket_above",
    "condition_number",
    "conv_singular_values",
    "count_above",
    "dense_jacobian",
    "dense_singular_values",
    "dot_test",
    "exact_jacobian",
    "linearize",
    "moments",
    "resolution",
    "smallest_nonzero",
    "spectral_density",
    "spectral_quadrature",
    "stable_rank",
    "top_singular_values",
]
