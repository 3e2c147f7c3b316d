"""The exact pre-images of embeddings, and of embeddings with noise added."""

from dataclasses import dataclass

import jax
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from depthjax.analysis.preimages.square_mlp import square_mlp, unflatten
from depthjax.models import Network
from depthjax.typing import Variables


@dataclass(frozen=True)
class Preimages:
    """The images whose embeddings are `O(a) + σ·ε`, with the singular values of the Jacobian.

    Fields:
        images: x, `[draws, H, W, C]`, float64, not clipped.
        distances: ‖x − a‖₂, `[draws]`.
        outside: the fraction of the elements of each image outside [0, 1], `[draws]`.
        residuals: ‖O(x) − y‖₂ / ‖y − O(a)‖₂ with y = O(a) + σ·ε, `[draws]`: the relative error of
            the solution and of computing O(x). Above about 0.1, float64 is too coarse for this
            layer and σ.
        recovery_distance: ‖x − a‖₂ of the pre-image of `O(a)` itself: the effect of rounding.
        singular_values: of J at `a`, in descending order, `[n]`.
        std: σ.
    """

    images: Float[np.ndarray, "draws height width channels"]
    distances: Float[np.ndarray, " draws"]
    outside: Float[np.ndarray, " draws"]
    residuals: Float[np.ndarray, " draws"]
    recovery_distance: float
    singular_values: Float[np.ndarray, " elements"]
    std: float

    @property
    def expected_distance(self) -> float:
        """σ‖J⁻¹‖_F: the root mean square distance, to first order; exact for an affine layer."""
        return float(self.std * np.sqrt(np.sum(self.singular_values**-2.0)))

    @property
    def distance_ratio(self) -> float:
        """The median distance over σ‖J⁻¹‖_F; claim C6 expects it within [0.5, 2]."""
        return float(np.median(self.distances)) / self.expected_distance

    @property
    def condition_number(self) -> float:
        """κ = σ₁ / σ_n of J."""
        return float(self.singular_values[0] / self.singular_values[-1])

    def summary(self) -> dict[str, float]:
        """Its numbers, as a row of a table has them."""
        return {
            "median_distance": float(np.median(self.distances)),
            "expected_distance": self.expected_distance,
            "outside": float(self.outside.mean()),
            "condition_number": self.condition_number,
            "residual": float(self.residuals.max()),
            "recovery_distance": self.recovery_distance,
            "distance_ratio": self.distance_ratio,
        }


def preimages(
    key: Array,
    model: Network,
    variables: Variables,
    layer_name: str,
    image: ArrayLike,
    *,
    std: float = 1e-3,
    draws: int = 100,
) -> Preimages:
    """Solves `O(x) = O(a) + σ·ε` exactly for several draws of standard normal ε.

    Args:
        key: seeds ε, a `jax.random.key`.
        model: an `MLP`, linear or with leaky ReLUs, each layer as wide as the image has elements.
        variables: its weights; float32 ones are converted to float64.
        layer_name: such as `fc3`.
        image: a, `[H, W, C]`, pixels in [0, 1].
        std: σ > 0.
        draws: how many ε.

    Raises:
        ValueError: for another model, for layers that are not square or numerically singular, for
            an image of another size, and for σ or draws that are not positive.
    """
    if not (std > 0 and draws > 0):
        raise ValueError(f"std and draws must be positive, got {std} and {draws}")
    mlp = square_mlp(model, variables, layer_name)
    start = mlp.flatten(image)
    target = mlp.embed(start[None])
    noise = np.asarray(jax.random.normal(key, (draws, start.size)), np.float64)
    wanted = np.concatenate([target, target + std * noise])
    solutions = mlp.solve(wanted)
    missed = np.linalg.norm(mlp.embed(solutions[1:]) - wanted[1:], axis=1)
    distances = np.linalg.norm(solutions - start, axis=1)
    return Preimages(
        images=unflatten(solutions[1:], np.shape(image)),
        distances=distances[1:],
        outside=((solutions[1:] < 0) | (solutions[1:] > 1)).mean(1),
        residuals=missed / np.linalg.norm(wanted[1:] - target, axis=1),
        recovery_distance=float(distances[0]),
        singular_values=mlp.singular_values(start),
        std=float(std),
    )


def exact_preimages(
    model: Network,
    variables: Variables,
    layer_name: str,
    embedding: ArrayLike,
    image_shape: tuple[int, int, int],
) -> Float[np.ndarray, "batch height width channels"]:
    """The images that have these embeddings, in float64.

    Args:
        model, variables, layer_name: as in `preimages`.
        embedding: `[B, n]`.
        image_shape: height, width and channels of an image of n elements.

    Raises:
        ValueError: as `preimages`; for an embedding or an image shape of other than n elements.
    """
    mlp = square_mlp(model, variables, layer_name)
    wanted, elements = np.asarray(embedding, np.float64), mlp.elements
    if wanted.ndim != 2 or wanted.shape[1] != elements or np.prod(image_shape) != elements:
        raise ValueError(
            f"{layer_name} takes images of {elements} elements to embeddings [B, {elements}], got"
            f" embeddings {wanted.shape} for images {tuple(image_shape)}"
        )
    return unflatten(mlp.solve(wanted), image_shape)


def jacobian_singular_values(
    model: Network, variables: Variables, layer_name: str, image: ArrayLike
) -> Float[np.ndarray, " elements"]:
    """All singular values of the Jacobian at an image, in descending order, by one SVD of `[n, n]`.

    J is the product of the weight matrices; a leaky ReLU multiplies what belongs to its negative
    inputs by its slope. The relative error of the smallest value is about κ·1e-16, so σ‖J⁻¹‖_F
    means nothing for κ of 1e15 or more.

    Args:
        model, variables, layer_name, image: as in `preimages`.

    Raises:
        ValueError: as `preimages`.
    """
    mlp = square_mlp(model, variables, layer_name)
    return mlp.singular_values(mlp.flatten(image))
