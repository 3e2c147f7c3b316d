"""The Jacobian of a layer at an image: products with it, and its singular values.

Close to an image, a layer is the linear map `J = ∂O_l/∂a`. Changes of the image along singular
vectors with a small singular value hardly change the embedding (arXiv 2211.06496 argues so in
words). J is usually too large to be stored: all functions but the dense ones need only products
`J v` and `Jᵀ u`.

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
from depthjax.jacobian.information import (
    Bracket,
    Information,
    bernstein_sum,
    information,
    information_of_values,
)
from depthjax.jacobian.injectivity import conv_values_exceed
from depthjax.jacobian.linearization import LinearizedLayer, dot_test, linearize, resolution
from depthjax.jacobian.moments import Estimate, Moments, moments, stable_rank
from depthjax.jacobian.quadrature import (
    Counts,
    SpectralQuadrature,
    count_above,
    spectral_quadrature,
)
from depthjax.jacobian.top import TopSingular, top_singular_values

__all__ = [
    "Bracket",
    "ConditionNumber",
    "Counts",
    "Estimate",
    "Information",
    "LinearizedLayer",
    "Moments",
    "SmallestSingular",
    "SpectralQuadrature",
    "TopSingular",
    "bernstein_sum",
    "condition_number",
    "conv_singular_values",
    "conv_values_exceed",
    "count_above",
    "dense_jacobian",
    "dense_singular_values",
    "dot_test",
    "exact_jacobian",
    "information",
    "information_of_values",
    "linearize",
    "moments",
    "resolution",
    "smallest_nonzero",
    "spectral_quadrature",
    "stable_rank",
    "top_singular_values",
]
