"""Linear multilayer perceptrons as one affine map: where gradient descents through them go.

A linear MLP computes `a ↦ a J + b`, where J is the product of its weight matrices, and a descent
through this one map has the same iterates as one through all layers, for less work. On a squared
distance, gradient descent treats each singular direction of J separately, so that the distance
after any number of steps has a closed form, and conjugate gradients need only vectors of the size
of the input. The null space of J is never changed: m_i ends at `‖P_N(a − a_0)‖`, with P_N the
projection onto the null space (claim C4 of the paper).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from depthjax.analysis.singular_directions import SingularDirections
from depthjax.typing import Embedding, Images, Variables

Errors = Float[np.ndarray, "batch n"]
"""Errors of the start, `a_0 − a`, flattened, float64."""

PER_DECADE = 8
"""Numbers of steps between one and ten times it."""


Affine = dict[str, Any]
"""The weights of an affine map as `affine_layer` takes them: `{"kernel": [n, m], "bias": [m]}`."""


def flatten_images(images: ArrayLike) -> Errors:
    """Images `[B, H, W, C]` as rows `[B, n]`, in the network's order (channels first), float64."""
    values = np.asarray(images, np.float64)
    return np.moveaxis(values, -1, 1).reshape(len(values), -1)


def affine_maps(variables: Variables) -> list[Affine]:
    """A linear MLP from its input to each of its layers, as one affine map each, float64.

    Args:
        variables: of an `MLP` with activation "linear".

    Returns:
        For the layers l = 1, 2, …: `J = M₁ … M_l` and the bias, as `affine_layer` takes them.
    """
    layers = variables["params"]
    maps: list[Affine] = []
    for index in range(1, len(layers) + 1):
        kernel, bias = (
            np.asarray(layers[f"fc{index}"][name], np.float64) for name in ("kernel", "bias")
        )
        if maps:
            kernel, bias = maps[-1]["kernel"] @ kernel, maps[-1]["bias"] @ kernel + bias
        maps.append({"kernel": kernel, "bias": bias})
    return maps


def affine_layer(weights: Variables, images: Images) -> Embedding:
    """`flatten(a) J + b`, `[B, H, W, C]` -> `[B, m]`: a linear MLP of any depth."""
    flat = jnp.moveaxis(images, -1, 1).reshape(images.shape[0], -1)
    return flat @ weights["kernel"] + weights["bias"][None]


def product_directions(maps: Sequence[Affine]) -> SingularDirections:
    """The singular directions of the product of matrices `M₁ M₂ … M_L`, in float64.

    Its row space lies in that of the part up to the narrowest layer. That part is orthogonalised
    first, which keeps the weakest directions apart from the null space. (All later matrices must
    have full rank, as random ones have.) The σ² are eigenvalues of a Gram matrix in float64, so σ
    is resolved down to about 1e-8 σ₁.

    Args:
        maps: of the layers 1, …, L, from `affine_maps`.

    Returns:
        As many directions as the narrowest layer has units, at most n.
    """
    narrowest = min((layer["kernel"] for layer in maps), key=lambda kernel: kernel.shape[1])
    product = maps[-1]["kernel"]
    basis = np.linalg.qr(narrowest)[0] if narrowest.shape[1] < len(narrowest) else None
    compressed = product if basis is None else basis.T @ product
    squares, vectors = np.linalg.eigh(compressed @ compressed.T)
    vectors = vectors if basis is None else basis @ vectors
    values = np.sqrt(np.maximum(squares[::-1], 0))
    return SingularDirections(np.maximum(values, np.finfo(float).tiny), vectors[:, ::-1].T)


def null_distance(directions: SingularDirections, errors: Errors) -> Float[np.ndarray, " batch"]:
    """`‖P_N(a − a_0)‖`: the distance that no descent from the embedding can make smaller."""
    rows = directions.vectors
    return np.linalg.norm(errors - errors @ rows.T @ rows, axis=1)


def distance_after(
    directions: SingularDirections, errors: Errors, steps: int
) -> Float[np.ndarray, " batch"]:
    """m_i after a number of steps of gradient descent on ½‖r‖² at the rate 1/σ₁², in closed form.

    Each step multiplies the error along a direction by `1 − (σ/σ₁)²`. The iterates are those of
    `depthjax.invert` with objective "squared_l2" of scale ½, "sgd", the rate 1/σ₁² and free pixels.

    Args:
        directions: of the network, from `product_directions`.
        errors: `a_0 − a`, `[B, n]`.
        steps: 0 or more.

    Returns:
        `[B]`.
    """
    rate = np.square(directions.values / directions.values[0])
    # log1p keeps the small rates, which matter over many steps.
    left = np.exp(steps * np.log1p(-np.minimum(rate, 1 - 1e-15))) if steps else np.ones_like(rate)
    inside = np.square(errors @ directions.vectors.T * left).sum(1)
    return np.sqrt(inside + np.square(null_distance(directions, errors)))


def steps_until(
    directions: SingularDirections, errors: Errors, distance: float, most: int = 10**12
) -> Float[np.ndarray, " batch"]:
    """The first step at which `distance_after` is at most `distance`.

    Args:
        directions, errors: as in `distance_after`.
        distance: m_i to be reached.
        most: steps that are tried.

    Returns:
        `[B]`; infinity where more than `most` steps are needed.
    """
    energies = np.square(errors @ directions.vectors.T)
    lost = np.square(null_distance(directions, errors))
    rates = np.log1p(-np.minimum(np.square(directions.values / directions.values[0]), 1 - 1e-15))

    def near(energy: np.ndarray, null: float, steps: int) -> bool:
        return bool((energy * np.exp(2 * steps * rates)).sum() + null <= distance**2)

    needed = []
    for energy, null in zip(energies, lost, strict=True):
        low, high = -1, most  # bisection, as the distance decreases with every step
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if near(energy, null, middle) else (middle, high)
        needed.append(float(high) if near(energy, null, high) else np.inf)
    return np.array(needed)


class DescentPath(NamedTuple):
    """The distances at some steps of a descent of B images.

    Fields:
        step: numbers of steps, `[T]`.
        embedding_distance, input_distance: m_g and m_i, `[T, B]`.
    """

    step: np.ndarray
    embedding_distance: np.ndarray
    input_distance: np.ndarray


def conjugate_gradients(
    directions: SingularDirections, errors: Errors, steps: Sequence[int]
) -> DescentPath:
    """The distances on the way of conjugate gradients on `‖r‖²` (Hestenes & Stiefel 1952).

    After k steps no other method that uses k gradients has a smaller m_g. The iterations run on
    coordinates along the singular directions, where they are the same and cost almost nothing. An
    image stops once its residual has reached the rounding errors of float64.

    Args:
        directions: of the network, from `product_directions`.
        errors: `a_0 − a`, `[B, n]`.
        steps: numbers of steps at which distances are recorded, ascending.
    """
    lost = np.square(null_distance(directions, errors))
    error = errors @ directions.vectors.T
    sigma = directions.values
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
    return DescentPath(np.array(steps), embedding, inputs)


def log_steps(most: int) -> list[int]:
    """0, and numbers of steps from 1 to `most` that are evenly spaced on a logarithmic scale."""
    count = int(np.ceil(np.log10(most) * PER_DECADE)) + 1
    return [0, *sorted({round(step) for step in np.geomspace(1, most, count)})]


def width_needed(
    widths: Float[np.ndarray, " k"], ratios: Float[np.ndarray, " k"], level: float = 1.0
) -> float:
    """The smallest width from which on all ratios are at most `level`.

    Where ratios fall by orders of magnitude from one width to the next, as they do where an image
    comes back exactly, the result lies just above the last width that does not suffice. It is known
    no better than the widths are spaced.

    Args:
        widths: ascending, `[k]`.
        ratios: D at each width, positive, `[k]`; log D is interpolated linearly between widths.
        level: D up to which an image counts as recovered.

    Returns:
        The first width if it is enough; infinity if even the last one is not.
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
