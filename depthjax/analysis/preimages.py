"""Invertible perceptrons solved exactly: where do the pre-images of a nearby embedding lie?

A descent that misses the image does not prove that the layer lost it: an invertible layer may be so
ill-conditioned that embeddings within rounding of each other belong to images far apart. Here the
layer has as many outputs as inputs at every step, so what it keeps is known, and `O(x) = y` is
solved layer by layer in float64 (claim C6 of the paper).
"""

import warnings
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import scipy.linalg
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from depthjax.models import MLP, Network, build_model, init_variables
from depthjax.models.network import needed_nodes, resolve
from depthjax.models.operations import LeakyReLU, Linear, flatten
from depthjax.typing import Variables

TEXT = {"layers": 4, "std": 1e-3}
"""The control as the paper's text has it: four layers, noise of standard deviation 1/1000."""

CODE = {"layers": 3, "std": 1e-7}
"""The control as the author's code has it: three inverted matrices, noise of 1e-7."""


@dataclass(frozen=True)
class Preimages:
    """The images whose embeddings are `O(a) + σ·ε`, and what the layer's Jacobian says of them.

    Fields:
        images: `[draws, H, W, C]`, float64, not clipped.
        distances: ‖x − a‖₂ of each.
        outside: share of each one's pixels outside [0, 1].
        residuals: ‖O(x) − y‖₂ / ‖y − O(a)‖₂ of each, where y = O(a) + σ·ε: how much of what was
            asked rounding leaves undone, in the solve and in computing O(x). Above 0.1 or so
            float64 is too coarse for this layer and σ.
        recovery_distance: ‖x − a‖₂ of the pre-image of `O(a)` itself: what rounding does alone.
        singular_values: of J at `a`, descending.
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
        """σ‖J⁻¹‖_F: the root mean square of the distances, exactly so where the layer is affine."""
        return float(self.std * np.sqrt(np.sum(self.singular_values**-2.0)))

    @property
    def distance_ratio(self) -> float:
        """Median distance / (σ‖J⁻¹‖_F): C6 says within [0.5, 2]."""
        return float(np.median(self.distances)) / self.expected_distance

    @property
    def condition_number(self) -> float:
        """κ = σ₁ / σ_n of J."""
        return float(self.singular_values[0] / self.singular_values[-1])


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
    """Solves `O(x) = O(a) + σ·ε` exactly for draws of standard normal ε.

    Args:
        key: of ε, a `jax.random.key`.
        model: an `MLP`, linear or with leaky ReLUs, as wide as the image has elements.
        variables: its variables; float32 ones are taken as the float64 numbers that they are.
        layer_name: such as `fc3`.
        image: a, `[H, W, C]`, pixels in [0, 1].
        std: σ > 0.
        draws: how many ε.

    Raises:
        ValueError: for another model, layers that are not square or numerically singular, an image
            of another size, and a σ or a number of draws that is not positive.
    """
    if not (std > 0 and draws > 0):
        raise ValueError(f"std and draws must be positive, got {std} and {draws}")
    steps = _steps(model, variables, layer_name)
    start = _flattened(image, steps)
    target = _forward(steps, start[None])
    noise = np.asarray(jax.random.normal(key, (draws, start.size)), np.float64)
    wanted = np.concatenate([target, target + std * noise])
    found = _solved(steps, wanted)
    missed = np.linalg.norm(_forward(steps, found[1:]) - wanted[1:], axis=1)
    distances = np.linalg.norm(found - start, axis=1)
    return Preimages(
        images=_unflattened(found[1:], np.shape(image)),
        distances=distances[1:],
        outside=((found[1:] < 0) | (found[1:] > 1)).mean(1),
        residuals=missed / np.linalg.norm(wanted[1:] - target, axis=1),
        recovery_distance=float(distances[0]),
        singular_values=_singular_values(steps, start),
        std=float(std),
    )


def exact_preimages(
    model: Network,
    variables: Variables,
    layer_name: str,
    embedding: ArrayLike,
    image_shape: tuple[int, int, int],
) -> Float[np.ndarray, "batch height width channels"]:
    """The images of these embeddings, solved layer by layer by LU factorisation in float64.

    Args:
        model, variables, layer_name: as in `preimages`.
        embedding: `[B, n]`.
        image_shape: height, width and channels, of n elements.

    Raises:
        ValueError: as `preimages`; for an embedding or an image shape of other than n elements.
    """
    steps = _steps(model, variables, layer_name)
    wanted, elements = np.asarray(embedding, np.float64), _elements(steps)
    if wanted.ndim != 2 or wanted.shape[1] != elements or np.prod(image_shape) != elements:
        raise ValueError(
            f"{layer_name} takes images of {elements} elements to embeddings [B, {elements}], got"
            f" embeddings {wanted.shape} for images {tuple(image_shape)}"
        )
    return _unflattened(_solved(steps, wanted), image_shape)


def jacobian_singular_values(
    model: Network, variables: Variables, layer_name: str, image: ArrayLike
) -> Float[np.ndarray, " elements"]:
    """All singular values of the Jacobian at an image, descending; one SVD of `[n, n]`.

    Where layers are linear J is the product of their matrices; a leaky ReLU multiplies what it
    finds negative by its slope. The smallest value is good to about κ·1e-16 of itself, so that
    σ‖J⁻¹‖_F means nothing from κ = 1e15 on.

    Args:
        model, variables, layer_name, image: as in `preimages`.

    Raises:
        ValueError: as `preimages`.
    """
    steps = _steps(model, variables, layer_name)
    return _singular_values(steps, _flattened(image, steps))


@dataclass(frozen=True)
class InvertibleControl:
    """Claim C6 over initialisations; every array has one number for each.

    Fields:
        median_distance: of the pre-images to `a`.
        expected_distance: σ‖J⁻¹‖_F.
        outside: share of all the pre-images' pixels that lie outside [0, 1].
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
        """Median distance / (σ‖J⁻¹‖_F)."""
        return self.median_distance / self.expected_distance

    @property
    def predicted(self) -> bool:
        """Whether every initialisation has its ratio within [0.5, 2]."""
        return bool(((self.distance_ratio >= 0.5) & (self.distance_ratio <= 2)).all())

    @property
    def outside_range(self) -> bool:
        """Whether every initialisation has more than 99 % of the pixels outside [0, 1]."""
        return bool((self.outside > 0.99).all())

    @property
    def supported(self) -> bool:
        """C6: predicted and outside the range, over at least ten initialisations."""
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
    """Pre-images of perturbed embeddings of square MLPs, each initialised anew as PyTorch does.

    Args:
        key: split into one of weights and one of noise for each initialisation.
        image: a, `[H, W, C]`, pixels in [0, 1]; 32×32×3 in the paper (n = 3072: matrices of 75 MB).
        inits: how many initialisations; C6 asks for ten.
        layers, std: `**TEXT` or `**CODE`.
        draws: pre-images for each.
        activation: "linear" or "leaky_relu".

    Raises:
        ValueError: as `preimages`; for no initialisations or layers.
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
        found = preimages(noise_key, model, variables, f"fc{layers}", image, std=std, draws=draws)
        rows.append(
            (
                np.median(found.distances),
                found.expected_distance,
                found.outside.mean(),
                found.condition_number,
                found.residuals.max(),
                found.recovery_distance,
            )
        )
    return InvertibleControl(*np.array(rows, np.float64).T)


@dataclass(frozen=True, eq=False)
class _Affine:
    """`x @ kernel + bias`."""

    name: str
    kernel: Float[np.ndarray, "inputs outputs"]
    bias: Float[np.ndarray, " outputs"]


_Step = _Affine | LeakyReLU


def _steps(model: Network, variables: Variables, layer_name: str) -> list[_Step]:
    """The operations up to a layer, all of which have an inverse, with their weights in float64."""
    if not isinstance(model, MLP):
        raise ValueError(
            f"exact pre-images are those of an MLP, got {type(model).__name__}; use"
            " build_model('mlp', widths=…), or invert_activations for an irevnet"
        )
    steps: list[_Step] = []
    for node in needed_nodes(model, resolve(model, layer_name)):
        if isinstance(node.operation, Linear):
            leaves = variables["params"][node.name]
            kernel, bias = (np.asarray(leaves[leaf], np.float64) for leaf in ("kernel", "bias"))
            if kernel.shape[0] != kernel.shape[1]:
                raise ValueError(
                    f"{node.name} takes {kernel.shape[0]} inputs to {kernel.shape[1]}: only square"
                    " layers have exact pre-images; make every width the image's elements"
                )
            if not (np.isfinite(kernel).all() and np.isfinite(bias).all()):
                raise ValueError(f"{node.name} holds NaN or infinite weights; use other weights")
            steps.append(_Affine(node.name, kernel, bias))
        elif isinstance(node.operation, LeakyReLU):
            steps.append(node.operation)
        elif node.operation is not flatten:
            raise ValueError(
                f"{node.name} has no inverse; use activation='linear' or 'leaky_relu', or a layer"
                " before it"
            )
    if not steps:
        raise ValueError(f"{layer_name} comes before every linear layer; use fc1 or a later one")
    return steps


def _elements(steps: list[_Step]) -> int:
    return next(len(step.bias) for step in steps if isinstance(step, _Affine))


def _flattened(image: ArrayLike, steps: list[_Step]) -> Float[np.ndarray, " elements"]:
    """As `flatten`: channels first."""
    pixels = np.asarray(image, np.float64)
    if pixels.ndim != 3 or pixels.size != _elements(steps):
        raise ValueError(
            f"the image must be [H, W, C] of {_elements(steps)} elements, as many as the network is"
            f" wide, got {pixels.shape}"
        )
    if not np.isfinite(pixels).all():
        raise ValueError("the image holds NaN or infinite pixels; give one in [0, 1]")
    return np.moveaxis(pixels, -1, 0).ravel()


def _unflattened(
    flat: Float[np.ndarray, "batch elements"], image_shape: tuple[int, ...]
) -> Float[np.ndarray, "batch height width channels"]:
    height, width, channels = image_shape
    return np.moveaxis(flat.reshape(-1, channels, height, width), 1, -1)


def _forward(
    steps: list[_Step], x: Float[np.ndarray, "batch elements"]
) -> Float[np.ndarray, "batch elements"]:
    for step in steps:
        if isinstance(step, _Affine):
            x = x @ step.kernel + step.bias
        else:
            x = np.where(x > 0, x, step.slope * x)
    return x


def _singular_values(
    steps: list[_Step], x: Float[np.ndarray, " elements"]
) -> Float[np.ndarray, " elements"]:
    transposed: Any = None  # J's transpose, as rows are what passes through the network
    for step in steps:
        if isinstance(step, _Affine):
            x = x @ step.kernel + step.bias
            transposed = step.kernel if transposed is None else transposed @ step.kernel
        else:
            slopes = np.where(x > 0, 1.0, step.slope)
            x, transposed = slopes * x, transposed * slopes
    return scipy.linalg.svdvals(transposed)


def _solved(
    steps: list[_Step], y: Float[np.ndarray, "batch elements"]
) -> Float[np.ndarray, "batch elements"]:
    for step in reversed(steps):
        if isinstance(step, _Affine):
            y = scipy.linalg.lu_solve(_factors(step), (y - step.bias).T, trans=1).T
        else:
            y = np.where(y > 0, y, y / step.slope)
    return y


def _factors(step: _Affine) -> tuple[np.ndarray, np.ndarray]:
    """The LU factors of a kernel that is not singular."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", scipy.linalg.LinAlgWarning)  # refused below, by name
        factors, pivots = scipy.linalg.lu_factor(step.kernel)
    norm = np.abs(step.kernel).sum(0).max()
    # An estimate of 1/κ₁: a repeated row leaves pivots of rounding's size, seldom exact zeros.
    reciprocal, _ = scipy.linalg.lapack.dgecon(factors, norm)
    if not reciprocal > np.finfo(np.float64).eps:
        raise ValueError(
            f"{step.name} is numerically singular (1/κ ≈ {reciprocal:.0e}): its inputs cannot be"
            " told from its outputs; use another initialisation"
        )
    return factors, pivots
