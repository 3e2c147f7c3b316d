"""Control networks: it is known what they keep, and how well conditioned they are.

An orthogonal MLP and an i-RevNet with small couplings are invertible and well conditioned. A square
MLP with PyTorch's initialisation is invertible and ill conditioned. An orthogonal MLP with one
narrow layer loses half of its input.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from depthjax.errors import one_of
from depthjax.models import Network, build_model, init_variables
from depthjax.typing import Variables

ORTHOGONAL, IREVNET, DEFAULT, NARROW = "orthogonal", "irevnet", "default", "narrow"
WORDS = {
    ORTHOGONAL: "orthogonal MLP (κ = 1)",
    IREVNET: "i-RevNet, small couplings",
    DEFAULT: "square MLP, default weights",
    NARROW: "orthogonal MLP, one narrow layer",
}
"""The controls by name, with a description."""

DEPTH = 4
"""The number of layers of each control."""


class Case(NamedTuple):
    """A control network.

    Fields:
        model: its architecture.
        layers: shallow to deep.
        affine: whether they are affine maps.
    """

    model: Network
    layers: tuple[str, ...]
    affine: bool


def case_of(name: str, inputs: int) -> Case:
    """The control of a name.

    Args:
        name: one of `WORDS`.
        inputs: the number of elements of an image.

    Raises:
        ValueError: for another name.
    """
    one_of("control", name, WORDS)
    if name == IREVNET:
        model = build_model("irevnet", blocks=(2, 2))
        return Case(model, ("layer1.0", "layer1.1", "layer2.0", "layer2.1"), affine=False)
    widths = [inputs] * DEPTH
    if name == NARROW:
        widths[1] = inputs // 2
    model = build_model("mlp", widths=tuple(widths), activation="linear")
    return Case(model, model.stages(), affine=True)


def variables_of(name: str, model: Network, seed: int, size: int, coupling: float) -> Variables:
    """The weights of a control: PyTorch's initialisation, changed where the control asks for it.

    Args:
        name: of the control.
        model: its architecture.
        seed: of the initialisation.
        size: height and width of the images.
        coupling: factor of the couplings of the i-RevNet; with 0 it is orthogonal.
    """
    variables = init_variables(model, jax.random.key(seed), size)
    for layer, leaves in variables["params"].items():
        kernel = np.asarray(leaves["kernel"], np.float64)
        if name in (ORTHOGONAL, NARROW):
            leaves["kernel"] = jnp.asarray(semi_orthogonal(kernel), jnp.float32)
        elif name == IREVNET and layer.endswith(".conv2"):
            leaves["kernel"] = jnp.asarray(coupling * kernel, jnp.float32)
    return variables


def semi_orthogonal(kernel: Float[np.ndarray, "n m"]) -> Float[np.ndarray, "n m"]:
    """A matrix of the same shape whose singular values are all 1: orthonormal columns, or rows."""
    tall = kernel if kernel.shape[0] >= kernel.shape[1] else kernel.T
    orthonormal = np.linalg.qr(tall)[0]
    return orthonormal if tall is kernel else orthonormal.T
