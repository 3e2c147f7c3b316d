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
