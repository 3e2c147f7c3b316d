"""The best estimate of an image from its embedding, where the layer is linear and all is Gaussian.

Linearised at a mean image μ, an embedding is `e = O(μ) + J (x − μ)` and noise of standard deviation
σ. If images are drawn from N(μ, Σ), the estimate with the least mean squared error is

    x̂ = μ + Σ Jᵀ (J Σ Jᵀ + σ²)⁻¹ (e − O(μ)).

With Σ = R Rᵀ it is `μ + R z`, where z minimises `‖J R z − (e − O(μ))‖² + σ² ‖z‖²`. LSQR finds it
by products alone: conjugate gradients in a form that loses less to rounding (Paige & Saunders
1982).
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax.numpy as jnp
import numpy as np
import scipy.sparse.linalg
from jaxtyping import Float
from numpy.typing import ArrayLike

from depthjax.analysis.bits import PRIOR_STD
from depthjax.errors import require
from depthjax.jacobian import LinearizedLayer, linearize
from depthjax.jacobian.linearization import pull, push
from depthjax.models.embeddings import embed
from depthjax.typing import LayerFn, Variables

Root: TypeAlias = Callable[[np.ndarray], np.ndarray]
"""R = Rᵀ, a symmetric root of Σ: images `[H, W, C]` to images."""

TOLERANCE = 1e-7
"""Relative, of the residual of the normal equations."""

MOST = 400
"""The largest number of pairs of products for each image."""


class MmseEstimate(NamedTuple):
    """Estimates of B images.

    Fields:
        images: x̂, `[B, H, W, C]`, float64, in any range.
        products: pairs of products with J for each image, `[B]`.
        converged: whether the tolerance was reached, `[B]`.
    """

    images: Float[np.ndarray, "images h w c"]
    products: np.ndarray
    converged: np.ndarray


def mmse_estimate(
    layer: LayerFn,
    variables: Variables,
    embeddings: ArrayLike,
    *,
    mean: Float[np.ndarray, "h w c"],
    noise_std: float,
    root: Root | None = None,
) -> MmseEstimate:
    """Estimates images from their embeddings, by one linearisation of the layer at a mean image.

    Args:
        layer, variables: see `depthjax.typing.LayerFn`.
        embeddings: `[B, …]`.
        mean: μ, `[H, W, C]` in [0, 1].
        noise_std: σ of each entry of an embedding, such as `noise_std_of` gives.
        root: of the covariance of images; by default that of independent pixels of standard
            deviation `PRIOR_STD`. For images like photographs: `power_law_root`.

    Raises:
        ValueError: for noise that is not positive and finite; as `linearize`.
    """
    usable = bool(np.isfinite(noise_std) and noise_std > 0)
    require(usable, "noise_std", noise_std, "positive and finite")
    maps = linearize(layer, variables, mean)
    flat = np.asarray(embed(layer, variables, jnp.asarray(mean)[None]), np.float64).ravel()
    apply = root or (lambda image: PRIOR_STD * image)
    system = _system(maps, apply, mean.shape)
    found = []
    for embedding in np.asarray(embeddings, np.float64).reshape(-1, flat.size):
        z, reason, products, *_ = scipy.sparse.linalg.lsqr(
            *(system, embedding - flat),
            damp=noise_std,
            atol=TOLERANCE,
            btol=TOLERANCE,
            iter_lim=MOST,
        )
        found.append((mean + apply(z.reshape(mean.shape)), products, reason not in (3, 6, 7)))
    images, products, converged = zip(*found, strict=True)
    return MmseEstimate(np.stack(images), np.array(products), np.array(converged))


def power_law_root(
    shape: tuple[int, int, int], *, std: float = PRIOR_STD, power: float = 1.0
) -> Root:
    """A root of the covariance of images whose amplitude falls with frequency as 1 / f, for Σ.

    Photographs have a power of about 1 (Field 1987). The frequency 0 counts as the lowest one.

    Args:
        shape: of an image, `(H, W, C)`; each channel by itself, with a circular border.
        std: of a pixel.
        power: of the fall.
    """
    height, width, _ = shape
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    amplitude = np.maximum(frequency, 1 / max(height, width)) ** -power
    full = np.maximum(
        np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None]),
        1 / max(height, width),
    )
    amplitude = std * amplitude / np.sqrt(np.square(full**-power).mean())

    def apply(image: np.ndarray) -> np.ndarray:
        spectrum = np.fft.rfft2(image, axes=(0, 1)) * amplitude[..., None]
        return np.fft.irfft2(spectrum, s=(height, width), axes=(0, 1))

    return apply


def _system(maps: LinearizedLayer, root: Root, shape: tuple[int, ...]) -> Any:
    """J R as SciPy's linear operator, for one image."""

    def forward(z: np.ndarray) -> np.ndarray:
        v = root(z.reshape(shape)).reshape(1, 1, -1)
        return np.asarray(push(maps, jnp.asarray(v, maps.dtype)), np.float64).ravel()

    def back(u: np.ndarray) -> np.ndarray:
        pulled = pull(maps, jnp.asarray(u.reshape(1, 1, -1), maps.dtype))
        return root(np.asarray(pulled, np.float64).reshape(shape)).ravel()

    return scipy.sparse.linalg.LinearOperator(
        maps.shape, matvec=forward, rmatvec=back, dtype=np.float64
    )
