"""How many bits an embedding holds about its image, where the layer is the linear map J.

Three assumptions. Close to an image the layer is linear. The image is drawn from a Gaussian: each
pixel by itself, with standard deviation s. The embedding is read with Gaussian noise: each entry by
itself, with standard deviation σ. The embedding then tells exactly

    I = ½ log₂ det(1 + s² J Jᵀ / σ²)        bits about the image (Shannon 1948), and
    d = tr(s² J Jᵀ (s² J Jᵀ + σ²)⁻¹)        directions of the image can be told from the noise.

Both are sums of a function of the singular values, and d is less than their number: a direction
whose signal is as large as the noise counts ½. Of the n s² of the prior's variance, (n − d) s² are
left once the embedding is known. Real photographs are no draws from this prior: their pixels are
alike their neighbours, so an embedding tells less about them that was not known before.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Float

from depthjax.errors import require
from depthjax.jacobian.quadrature import SpectralQuadrature

OfSquares: TypeAlias = Callable[[np.ndarray], np.ndarray]
"""A function of σ², elementwise."""


NoiseStd: TypeAlias = float | Float[np.ndarray, " images"]
"""σ of each entry of the embedding: one for all images, or `[B]`."""


class Bracket(NamedTuple):
    """A sum over all singular values of each image's Jacobian, `[B]` each, float64.

    Fields:
        low, high: a lower and an upper bound, as means over the probes.
        error: the standard error of both over the probes; NaN for a single probe, 0 where all
            singular values are known. It does not include the distance of the bounds, which more
            steps reduce, not more probes.
    """

    low: Float[np.ndarray, " images"]
    high: Float[np.ndarray, " images"]
    error: Float[np.ndarray, " images"]


def bernstein_sum(quadrature: SpectralQuadrature, function: OfSquares) -> Bracket:
    """The sum of f(σ²) over all singular values, for a Bernstein function f with f(0) = 0.

    Such are `log(1 + x)`, `x / (1 + x)`, `√x`: not negative, and their derivatives change sign from
    one to the next, beginning with a positive one. So the error of the Gauss rule is negative and
    that of the Gauss–Radau rule with a node at 0 is positive, whatever the spectrum: for each probe
    z, the one is an upper and the other a lower bound of `zᵀ f(JᵀJ) z` (Golub & Meurant 1994,
    "Matrices, moments and quadrature"). Only the mean over probes is random.

    Args:
        quadrature: from `spectral_quadrature`.
        function: f, of an array of σ².
    """
    high, low = (
        (weights * function(np.square(nodes))).sum(2)  # [images, probes]
        for nodes, weights in (
            (quadrature.nodes, quadrature.weights),
            (quadrature.radau_nodes, quadrature.radau_weights),
        )
    )
    probes = low.shape[1]
    error = np.full(len(low), np.nan)
    if probes > 1:
        error = np.maximum(low.std(1, ddof=1), high.std(1, ddof=1)) / np.sqrt(probes)
    ends = np.sort([low.mean(1), high.mean(1)], axis=0)  # rounding exchanges those that are equal
    return Bracket(ends[0], ends[1], error)


class Information(NamedTuple):
    """What the embedding of each image tells about it, under the assumptions of this module.

    Fields:
        bits: I = ½ log₂ det(1 + s² J Jᵀ / σ²), in bits.
        effective_dimension: d = tr(s² J Jᵀ (s² J Jᵀ + σ²)⁻¹), a number of directions.
    """

    bits: Bracket
    effective_dimension: Bracket


def information(
    quadrature: SpectralQuadrature, *, prior_std: float, noise_std: NoiseStd
) -> Information:
    """Bits and effective dimension of Jacobians of any size, with bounds.

    Args:
        quadrature: from `spectral_quadrature`.
        prior_std: s, of the pixels before the embedding is known, in pixel units of [0, 1].
        noise_std: σ, in units of the embedding; one for all images, or `[B]`.

    Raises:
        ValueError: for a standard deviation that is not positive and finite.
    """
    ratio = _signal_to_noise(prior_std, noise_std)[:, None, None]
    return Information(
        bernstein_sum(quadrature, lambda square: _bits(ratio * square)),
        bernstein_sum(quadrature, lambda square: _share(ratio * square)),
    )


def information_of_values(
    values: Float[np.ndarray, "images r"], *, prior_std: float, noise_std: NoiseStd
) -> Information:
    """The same where all singular values are known: no bounds, no error.

    Args:
        values: `[B, min(m, n)]`, float64.
        prior_std, noise_std: as in `information`.

    Raises:
        ValueError: as `information`.
    """
    signal = _signal_to_noise(prior_std, noise_std)[:, None] * np.square(values)
    bits, dimension = _bits(signal).sum(1), _share(signal).sum(1)
    none = np.zeros(len(values))
    return Information(Bracket(bits, bits, none), Bracket(dimension, dimension, none))


def _bits(signal: np.ndarray) -> np.ndarray:
    return np.log1p(signal) / np.log(4)


def _share(signal: np.ndarray) -> np.ndarray:
    return signal / (1 + signal)


def _signal_to_noise(prior_std: float, noise_std: NoiseStd) -> np.ndarray:
    """s² / σ² of each image; `[1]` if it is the same for all."""
    noise = np.atleast_1d(np.asarray(noise_std, float))
    for name, value in (("prior_std", np.asarray(prior_std, float)), ("noise_std", noise)):
        usable = bool(np.isfinite(value).all() and (value > 0).all())
        require(usable, name, value.tolist(), "positive and finite")
    return np.square(prior_std / noise)
