"""How wide must a multilayer perceptron be, and how fast does a descent through it go?

A linear MLP is one affine map `a ↦ a J + b`, J the product of its matrices, and a descent through
it is a descent on that map: the same iterates for less. On squared distances it never mixes J's
singular directions (Modes), so that it can be followed for any number of steps in closed form, and
conjugate gradients in numbers of the size of the input. What J does not see, no descent changes:
m_i ends at `‖P_N(a − a_0)‖`, P_N the projection to the null space (claim C4 of the paper).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from depthjax.typing import Embedding, Images, Variables

Errors = Float[np.ndarray, "batch n"]
"""What is missing of the targets, `a_g − a`, flattened, float64."""


Affine = dict[str, Any]
"""Weights of `affine_layer`: `{"kernel": [n, m], "bias": [m]}`."""


def flattened(images: ArrayLike) -> Errors:
    """Images `[B, H, W, C]` as the network takes them, `[B, n]`: channel by channel, float64."""
    values = np.asarray(images, np.float64)
    return np.moveaxis(values, -1, 1).reshape(len(values), -1)


def affine_maps(variables: Variables) -> list[Affine]:
    """A linear MLP up to each of its layers as one map: weights for `affine_layer`, float64.

    Args:
        variables: of an `MLP` of activation "linear".

    Returns:
        `J = M₁ … M_l` and its bias for the layers l = 1, 2, …
    """
    layers = variables["params"]
    found: list[Affine] = []
    for index in range(1, len(layers) + 1):
        kernel, bias = (
            np.asarray(layers[f"fc{index}"][name], np.float64) for name in ("kernel", "bias")
        )
        if found:
            kernel, bias = found[-1]["kernel"] @ kernel, found[-1]["bias"] @ kernel + bias
        found.append({"kernel": kernel, "bias": bias})
    return found


def affine_layer(weights: Variables, images: Images) -> Embedding:
    """`flatten(a) J + b`, `[B, H, W, C]` -> `[B, m]`: a linear MLP, whatever its depth."""
    flat = jnp.moveaxis(images, -1, 1).reshape(images.shape[0], -1)
    return flat @ weights["kernel"] + weights["bias"][None]


def relu_layer(weights: Variables, images: Images) -> Embedding:
    """`relu(flatten(a) W + b)` of the units that `weights["units"]` holds a 1 for.

    A unit's initial weights do not depend on how many stand beside it, so that a narrow layer is a
    part of a wide one, and all widths share one compiled program.

    Args:
        weights: `{"kernel": [n, m], "bias": [m], "units": [m]}`, the last 0 or 1.
        images: `[B, H, W, C]`.
    """
    return jax.nn.relu(affine_layer(weights, images)) * weights["units"][None]


def first_units(weights: Variables, width: int) -> dict[str, Array]:
    """The weights of `relu_layer` for a layer of so many units, the first ones."""
    units = jnp.arange(weights["bias"].shape[0]) < width
    return {**weights, "units": units.astype(weights["bias"].dtype)}


class Modes(NamedTuple):
    """The singular directions of a product of matrices that it sees.

    Fields:
        values: σ, in falling order, as many as the narrowest layer lets through: `[r]`.
        vectors: unit directions of the input, `[n, r]`.
    """

    values: Float[np.ndarray, " r"]
    vectors: Float[np.ndarray, "n r"]

    @property
    def condition(self) -> float:
        """κ = σ₁ / σ_r, of the directions that are seen at all."""
        return float(self.values[0] / self.values[-1])


def modes(maps: Sequence[Affine]) -> Modes:
    """The singular directions of `M₁ M₂ … M_L`, in float64.

    What the product sees lies in the range of its part up to the narrowest layer; taking that
    first keeps its weakest directions apart from those that are lost. (Matrices after that layer
    must have full rank, which random ones have.) Squares of σ are eigenvalues of a Gram matrix in
    float64: they are resolved down to about 1e-8 σ₁.

    Args:
        maps: of the layers from the first to the one in question, as in `affine_maps`.
    """
    narrowest = min((one["kernel"] for one in maps), key=lambda kernel: kernel.shape[1])
    product = maps[-1]["kernel"]
    basis = np.linalg.qr(narrowest)[0] if narrowest.shape[1] < len(narrowest) else None
    compressed = product if basis is None else basis.T @ product
    squares, vectors = np.linalg.eigh(compressed @ compressed.T)
    vectors = vectors if basis is None else basis @ vectors
    values = np.sqrt(np.maximum(squares[::-1], 0))
    return Modes(np.maximum(values, np.finfo(float).tiny), vectors[:, ::-1])


def null_distance(seen: Modes, errors: Errors) -> Float[np.ndarray, " batch"]:
    """`‖P_N(a − a_0)‖`: what no descent from the embedding can bring back."""
    return np.linalg.norm(errors - errors @ seen.vectors @ seen.vectors.T, axis=1)


def distance_after(seen: Modes, errors: Errors, steps: int) -> Float[np.ndarray, " batch"]:
    """m_i after so many steps of gradient descent on ½‖r‖² at the rate 1/σ₁², in closed form.

    Each step takes `(σ/σ₁)²` off the error in each direction: the iterates are those of
    `depthjax.invert` with objective "squared_l2" of scale ½, "sgd" and the rate 1/σ₁², where
    pixels are free.

    Args:
        seen: of the network.
        errors: `a_0 − a`.
        steps: any number from 0.
    """
    rate = np.square(seen.values / seen.values[0])
    # log1p keeps what small rates do over many steps.
    left = np.exp(steps * np.log1p(-np.minimum(rate, 1 - 1e-15))) if steps else np.ones_like(rate)
    inside = np.square(errors @ seen.vectors * left).sum(1)
    return np.sqrt(inside + np.square(null_distance(seen, errors)))


def steps_until(
    seen: Modes, errors: Errors, distance: float, most: int = 10**12
) -> Float[np.ndarray, " batch"]:
    """The first step at which `distance_after` is at most `distance`; inf if it takes too many.

    Args:
        seen, errors: as in `distance_after`.
        distance: in the units of m_i.
        most: steps.
    """
    energies = np.square(errors @ seen.vectors)
    lost = np.square(null_distance(seen, errors))
    rates = np.log1p(-np.minimum(np.square(seen.values / seen.values[0]), 1 - 1e-15))

    def near(energy: np.ndarray, null: float, steps: int) -> bool:
        return bool((energy * np.exp(2 * steps * rates)).sum() + null <= distance**2)

    found = []
    for energy, null in zip(energies, lost, strict=True):
        low, high = -1, most  # the distance falls with every step
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if near(energy, null, middle) else (middle, high)
        found.append(float(high) if near(energy, null, high) else np.inf)
    return np.array(found)


class Path(NamedTuple):
    """Distances on the way of a descent.

    Fields:
        step: `[T]`.
        embedding_distance, input_distance: m_g and m_i, `[T, B]`.
    """

    step: np.ndarray
    embedding_distance: np.ndarray
    input_distance: np.ndarray


def conjugate_gradients(seen: Modes, errors: Errors, steps: Sequence[int]) -> Path:
    """Distances on the way of conjugate gradients on `‖r‖²` from the start.

    No method that goes by the gradients seen so far has a nearer embedding after as many of them
    (Hestenes & Stiefel 1952). The method is written in the singular directions, where a step costs
    next to nothing: there the iterates are the same. An image is left where it is once its
    residual has fallen to the rounding of float64.

    Args:
        seen: of the network.
        errors: `a_0 − a`.
        steps: at which distances are recorded, rising from 0.
    """
    lost = np.square(null_distance(seen, errors))
    error = errors @ seen.vectors
    sigma = seen.values
    residual = error * sigma
    enough = np.finfo(float).eps * np.linalg.norm(residual, axis=1)
    gradient = residual * sigma
    direction, square = gradient, np.square(gradient).sum(1)
    rows, recorded = [], set(steps)
    for step in range(max(recorded) + 1):
        if step in recorded:
            rows.append((np.linalg.norm(residual, axis=1), np.sqrt(np.square(error).sum(1) + lost)))
        pushed = direction * sigma
        going = np.linalg.norm(residual, axis=1) > enough
        length = np.where(going, square, 0) / np.where(going, np.square(pushed).sum(1), 1)
        error = error - length[:, None] * direction
        residual = residual - length[:, None] * pushed
        gradient = residual * sigma
        new = np.square(gradient).sum(1)
        turn = np.where(going, new, 0) / np.where(going, square, 1)
        direction = gradient + turn[:, None] * direction
        square = new
    embedding, inputs = (np.array(column) for column in zip(*rows, strict=True))
    return Path(np.array(steps), embedding, inputs)


def log_steps(most: int, per_decade: int = 8) -> list[int]:
    """0, and numbers of steps up to `most` that lie evenly on a log scale."""
    count = int(np.ceil(np.log10(most) * per_decade)) + 1
    return [0, *sorted({round(step) for step in np.geomspace(1, most, count)})]


def width_needed(
    widths: Float[np.ndarray, " k"], ratios: Float[np.ndarray, " k"], level: float = 1.0
) -> float:
    """The width from which on a ratio stays at most `level`, read between widths tried.

    Args:
        widths: rising.
        ratios: D at each of them, positive; between two of them log D is taken as linear.
        level: of D that counts as recovered.

    Returns:
        The first width if that is enough, inf if the last is not.
    """
    short = np.flatnonzero(~(ratios <= level))
    if not short.size:
        return float(widths[0])
    last = int(short[-1])
    if last + 1 == len(widths):
        return float("inf")
    before, after = np.log(ratios[last : last + 2] / level)
    share = before / (before - after) if np.isfinite(before - after) else 1.0
    return float(widths[last] + share * (widths[last + 1] - widths[last]))
