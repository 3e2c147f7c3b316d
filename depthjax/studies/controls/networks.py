"""Networks of which it is known what they keep, and how well.

Of these an orthogonal MLP and an i-RevNet of small couplings keep everything and are well
conditioned, a square MLP as PyTorch initialises it keeps everything and is not, and an orthogonal
MLP with one narrow layer loses half.
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
"""The controls by name."""

DEPTH = 4
"""Layers of each."""


class Case(NamedTuple):
    """A control: its network, its layers, and whether they are affine."""

    model: Network
    layers: tuple[str, ...]
    affine: bool


def case_of(name: str, inputs: int) -> Case:
    """A control for images of so many numbers.

    Raises:
        ValueError: for a name that is not in `WORDS`.
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
    """PyTorch's initialisation, made orthogonal or of small couplings where the control is.

    Args:
        name: of the control.
        model: its network.
        seed: of the weights.
        size: height and width of the images.
        coupling: factor of the i-RevNet's couplings; 0 makes it orthogonal.
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
    """All singular values 1: what the smaller side allows is kept."""
    tall = kernel if kernel.shape[0] >= kernel.shape[1] else kernel.T
    found = np.linalg.qr(tall)[0]
    return found if tall is kernel else found.T
