"""The paper's invertible control: pre-images of perturbed embeddings over initialisations."""

from dataclasses import dataclass

import jax
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from depthjax.analysis.preimages.perturbed import preimages
from depthjax.models import build_model, init_variables

TEXT = {"layers": 4, "std": 1e-3}
"""The control as in the text of the paper: four layers, noise of standard deviation 1/1000."""

CODE = {"layers": 3, "std": 1e-7}
"""The control as in its author's code: three inverted matrices, noise of 1e-7."""


@dataclass(frozen=True)
class InvertibleControl:
    """Claim C6 over initialisations; each array has one number per initialisation.

    Fields:
        median_distance: the median distance of the pre-images from `a`.
        expected_distance: σ‖J⁻¹‖_F.
        outside: the fraction of the elements of all pre-images outside [0, 1].
        condition_number: κ of J.
        residual: the largest ‖O(x) − y‖₂ / ‖y − O(a)‖₂.
        recovery_distance: ‖x − a‖₂ of the pre-image of `O(a)` itself.
    """

    median_distance: Float[np.ndarray, " inits"]
    expected_distance: Float[np.ndarray, " inits"]
    outside: Float[np.ndarray, " inits"]
    condition_number: Float[np.ndarray, " inits"]
    residual: Float[np.ndarray, " inits"]
    recovery_distance: Float[np.ndarray, " inits"]

    @property
    def distance_ratio(self) -> Float[np.ndarray, " inits"]:
        """The median distance over σ‖J⁻¹‖_F."""
        return self.median_distance / self.expected_distance

    @property
    def predicted(self) -> bool:
        """Whether the ratio lies within [0.5, 2] for every initialisation."""
        return bool(((self.distance_ratio >= 0.5) & (self.distance_ratio <= 2)).all())

    @property
    def outside_range(self) -> bool:
        """Whether more than 99 % of the elements lie outside [0, 1] for every initialisation."""
        return bool((self.outside > 0.99).all())

    @property
    def supported(self) -> bool:
        """Claim C6: predicted and outside the range, for at least ten initialisations."""
        return self.predicted and self.outside_range and len(self.outside) >= 10


def invertible_control(
    key: Array,
    image: ArrayLike,
    *,
    inits: int = 10,
    layers: int = 4,
    std: float = 1e-3,
    draws: int = 100,
    activation: str = "linear",
) -> InvertibleControl:
    """Pre-images of perturbed embeddings, for several initialisations of a square MLP.

    Args:
        key: split into a key of the weights and one of the noise for each initialisation.
        image: a, `[H, W, C]`, pixels in [0, 1]; 32×32×3 in the paper (n = 3072: each matrix has
            75 MB).
        inits: how many initialisations (PyTorch's default); claim C6 asks for ten.
        layers, std: give `**TEXT` or `**CODE`.
        draws: pre-images for each initialisation.
        activation: "linear" or "leaky_relu".

    Raises:
        ValueError: as `preimages`; for fewer than one initialisation or layer.
    """
    if inits < 1 or layers < 1:
        raise ValueError(f"inits and layers must be at least 1, got {inits} and {layers}")
    if np.ndim(image) != 3:
        raise ValueError(f"the image must be [H, W, C], got {np.shape(image)}; give one image")
    height, width, channels = np.shape(image)
    widths = (height * width * channels,) * layers
    model = build_model("mlp", widths=widths, activation=activation, channels=channels)
    rows = []
    for weights_key, noise_key in map(jax.random.split, jax.random.split(key, inits)):
        variables = init_variables(model, weights_key, (height, width))
        cloud = preimages(noise_key, model, variables, f"fc{layers}", image, std=std, draws=draws)
        rows.append(cloud.summary())
    return InvertibleControl(
        **{name: np.array([row[name] for row in rows], np.float64) for name in rows[0]}
    )
