"""What an image pays for itself, whatever its embedding: one number for each image.

Most are sums over pixels and channels of images in [0, 1]; one asks the network what it expects.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from depthjax.inversion.terms import Piece, Sum, Term, as_sum, checked_sum, function_of
from depthjax.typing import Images, PerExample


class Penalty(NamedTuple):
    """A penalty by name.

    Fields:
        formula: of x, the image.
        function: images `[B, H, W, C]` to `[B]`; None: the layer tells (`models.moments`).
    """

    formula: str
    function: Callable[[Images], PerExample] | None


def range_penalty(images: Images) -> PerExample:
    """The squared distance of each image to the box [0, 1]: 0 inside it."""
    outside = images - jnp.clip(images, 0, 1)
    return jnp.square(outside).sum((1, 2, 3))


def total_variation(images: Images) -> PerExample:
    """Absolute differences of neighbours (Rudin, Osher & Fatemi 1992, along rows and columns).

    Its gradient is 0, not ±1, where neighbours are equal.
    """
    down, right = _steps(images)
    return _absolute(down).sum((1, 2, 3)) + _absolute(right).sum((1, 2, 3))


def squared_variation(images: Images) -> PerExample:
    """Squared differences of neighbours (Mahendran & Vedaldi 2015, with β = 2)."""
    down, right = _steps(images)
    return jnp.square(down).sum((1, 2, 3)) + jnp.square(right).sum((1, 2, 3))


def grey_l2(images: Images) -> PerExample:
    """The squared distance from middle grey, ½."""
    return jnp.square(images - 0.5).sum((1, 2, 3))


def grey_l6(images: Images) -> PerExample:
    """The sixth power of the distance from middle grey (Mahendran & Vedaldi 2015, α = 6)."""
    return ((images - 0.5) ** 6).sum((1, 2, 3))


PENALTIES = {
    "range": Penalty("squared distance to [0, 1]", range_penalty),
    "tv": Penalty("Σ|x − its neighbour|", total_variation),
    "tv2": Penalty("Σ(x − its neighbour)²", squared_variation),
    "l2": Penalty("Σ(x − ½)²", grey_l2),
    "l6": Penalty("Σ(x − ½)⁶", grey_l6),
    "batch_norm": Penalty("how far BatchNorms' inputs are from those of training", None),
}
"""Every penalty by name."""


def checked_penalty(penalty: Sum | Piece) -> Sum | str:
    """A penalty whose pieces all exist, empty if there is none; see `checked_sum`.

    Raises:
        ValueError: also for a piece of a layer: penalties are of images; and for a part of what
            the layer tells.
    """
    if not is_given(penalty):
        return ""
    for one in as_sum(penalty).terms:
        if one.at:
            raise ValueError(f"a penalty is of the image, and {str(one)!r} is of {one.at!r}")
        if one.where and _is_told(one.piece):
            raise ValueError(f"{one.piece} is of all that the network sees; leave [{one.where}]")
    return checked_sum(penalty, "penalty", PENALTIES)


def is_given(penalty: Sum | Piece) -> bool:
    """Whether there is any penalty."""
    return not isinstance(penalty, str) or bool(penalty.strip())


def ask_the_layer(pieces: Iterable[Term]) -> bool:
    """Whether one of the terms is of what the layer tells of the images."""
    return any(_is_told(one.piece) for one in pieces)


def penalty_of(
    images: Images,
    told: PerExample | None,
    pieces: tuple[Term, ...],
    weights: Float[Array, " terms"],
) -> PerExample:
    """The weighted sum of penalties of each image.

    Args:
        images: `[B, H, W, C]`.
        told: what the layer tells of them, if a term asks for it.
        pieces: terms without their weights, one or more.
        weights: of each; another value compiles nothing again.
    """
    terms = [
        weight * (told if _is_told(one.piece) else _function(one.piece)(one.part_of(images)))
        for one, weight in zip(pieces, weights, strict=True)
    ]
    return sum(terms[1:], start=terms[0])


def _is_told(piece: Piece) -> bool:
    known = PENALTIES.get(piece) if isinstance(piece, str) else None
    return known is not None and known.function is None


def _function(piece: Piece) -> Callable[[Images], PerExample]:
    if isinstance(piece, str):
        known = PENALTIES.get(piece)
        return (known and known.function) or function_of(piece, "penalty")
    return piece


def _steps(images: Images) -> tuple[Array, Array]:
    return images[:, 1:] - images[:, :-1], images[:, :, 1:] - images[:, :, :-1]


def _absolute(x: Array) -> Array:
    return x * jax.lax.stop_gradient(jnp.sign(x))
