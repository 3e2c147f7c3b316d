"""A square multilayer perceptron in float64, which can be inverted exactly."""

import warnings
from dataclasses import dataclass

import numpy as np
import scipy
from jaxtyping import Float
from numpy.typing import ArrayLike

from depthjax.models import MLP, Network
from depthjax.models.network import needed_nodes, resolve
from depthjax.models.operations import LeakyReLU, Linear, flatten
from depthjax.typing import Variables

Rows = Float[np.ndarray, "batch elements"]
"""Images, activations or embeddings, a row each; float64."""


@dataclass(frozen=True, eq=False)
class Affine:
    """The operation `x @ kernel + bias`, with a square kernel; float64."""

    name: str
    kernel: Float[np.ndarray, "inputs outputs"]
    bias: Float[np.ndarray, " outputs"]


@dataclass(frozen=True, eq=False)
class SquareMLP:
    """The first layers of a multilayer perceptron, with as many units in each as the image has.

    Fields:
        operations: square affine maps and leaky ReLUs, first to last; at least one affine map.
    """

    operations: tuple[Affine | LeakyReLU, ...]

    @property
    def elements(self) -> int:
        """n, the number of elements of an image, and of units in each layer."""
        return next(len(step.bias) for step in self.operations if isinstance(step, Affine))

    def flatten(self, image: ArrayLike) -> Float[np.ndarray, " elements"]:
        """An image `[H, W, C]` as the network takes it: `[n]`, channels first.

        Raises:
            ValueError: for other shapes, and for pixels that are not finite.
        """
        pixels = np.asarray(image, np.float64)
        if pixels.ndim != 3 or pixels.size != self.elements:
            raise ValueError(
                f"the image must be [H, W, C] of {self.elements} elements, as many as the network"
                f" is wide, got {pixels.shape}"
            )
        if not np.isfinite(pixels).all():
            raise ValueError("the image holds NaN or infinite pixels; give one in [0, 1]")
        return np.moveaxis(pixels, -1, 0).ravel()

    def embed(self, x: Rows) -> Rows:
        """The embeddings of flattened images."""
        for step in self.operations:
            if isinstance(step, Affine):
                x = x @ step.kernel + step.bias
            else:
                x = np.where(x > 0, x, step.slope * x)
        return x

    def solve(self, y: Rows) -> Rows:
        """The flattened images that have these embeddings, by LU factorisation layer by layer.

        Raises:
            ValueError: for a layer that is numerically singular, by its name.
        """
        for step in reversed(self.operations):
            if isinstance(step, Affine):
                y = scipy.linalg.lu_solve(_factors(step), (y - step.bias).T, trans=1).T
            else:
                y = np.where(y > 0, y, y / step.slope)
        return y

    def singular_values(self, x: Float[np.ndarray, " elements"]) -> Float[np.ndarray, " elements"]:
        """The singular values of the Jacobian at a flattened image, in descending order."""
        transposed: np.ndarray | None = None  # Jᵀ, as activations are rows
        for step in self.operations:
            if isinstance(step, Affine):
                x = x @ step.kernel + step.bias
                transposed = step.kernel if transposed is None else transposed @ step.kernel
            else:
                assert transposed is not None  # operations start with an affine map
                slopes = np.where(x > 0, 1.0, step.slope)
                x, transposed = slopes * x, transposed * slopes
        assert transposed is not None
        return scipy.linalg.svdvals(transposed)


def unflatten(
    flat: Rows, image_shape: tuple[int, ...]
) -> Float[np.ndarray, "batch height width channels"]:
    """The inverse of `SquareMLP.flatten`, for a batch: `[B, n]` -> `[B, H, W, C]`."""
    height, width, channels = image_shape
    return np.moveaxis(flat.reshape(-1, channels, height, width), 1, -1)


def square_mlp(model: Network, variables: Variables, layer_name: str) -> SquareMLP:
    """A network up to a layer, if every operation on the way has an inverse.

    Args:
        model: an `MLP`, linear or with leaky ReLUs, with square layers.
        variables: its weights; float32 ones are converted to float64.
        layer_name: such as `fc3`.

    Raises:
        ValueError: for another model or layer, for layers that are not square, and for weights
            that are not finite.
    """
    if not isinstance(model, MLP):
        raise ValueError(
            f"exact pre-images are those of an MLP, got {type(model).__name__}; use"
            " build_model('mlp', widths=…), or invert_activations for an irevnet"
        )
    operations: list[Affine | LeakyReLU] = []
    for node in needed_nodes(model, resolve(model, layer_name)):
        if isinstance(node.operation, Linear):
            operations.append(_affine(node.name, variables))
        elif isinstance(node.operation, LeakyReLU):
            operations.append(node.operation)
        elif node.operation is not flatten:
            raise ValueError(
                f"{node.name} has no inverse; use activation='linear' or 'leaky_relu', or a layer"
                " before it"
            )
    if not operations:
        raise ValueError(f"{layer_name} comes before every linear layer; use fc1 or a later one")
    return SquareMLP(tuple(operations))


def _affine(name: str, variables: Variables) -> Affine:
    leaves = variables["params"][name]
    kernel, bias = (np.asarray(leaves[leaf], np.float64) for leaf in ("kernel", "bias"))
    if kernel.shape[0] != kernel.shape[1]:
        raise ValueError(
            f"{name} takes {kernel.shape[0]} inputs to {kernel.shape[1]}: only square layers have"
            " exact pre-images; make every width the image's elements"
        )
    if not (np.isfinite(kernel).all() and np.isfinite(bias).all()):
        raise ValueError(f"{name} holds NaN or infinite weights; use other weights")
    return Affine(name, kernel, bias)


def _factors(step: Affine) -> tuple[np.ndarray, np.ndarray]:
    """The LU factors of a kernel; refuses one that is singular."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", scipy.linalg.LinAlgWarning)  # refused below, by name
        factors, pivots = scipy.linalg.lu_factor(step.kernel)
    norm = np.abs(step.kernel).sum(0).max()
    # LAPACK's estimate of 1/κ₁: two equal rows leave tiny pivots, rarely pivots of exactly 0.
    reciprocal, _ = scipy.linalg.lapack.dgecon(factors, norm)
    if not reciprocal > np.finfo(np.float64).eps:
        raise ValueError(
            f"{step.name} is numerically singular (1/κ ≈ {reciprocal:.0e}): its inputs cannot be"
            " told from its outputs; use another initialisation"
        )
    return factors, pivots
