"""How far an embedding is from its target: one number for each example.

A piece is made for a target, once, before the loop; what it then computes of an embedding is all
that a step pays for. A new piece is an entry of `OBJECTIVES`; all else reads these.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from depthjax.inversion.terms import Piece, Sum, Term, as_sum, checked_sum, function_of
from depthjax.ops.examples import per_example
from depthjax.typing import Embedding, PerExample

Distance = Callable[[Embedding], PerExample]
"""An embedding `[B, …]` to its distance from the target, `[B]`."""


class Objective(NamedTuple):
    """A piece by name, and what is known of it without computing it.

    Fields:
        formula: of e = O(a_n), the target's t = O(a), and r = e − t.
        made: from the target to the distance from it.
        is_square: whether it is a sum of squares of r: Gauss–Newton and linear theory need one.
        is_relative: whether it is divided by the target's norm (squared, if it is a square).
    """

    formula: str
    made: Callable[[Embedding], Distance]
    is_square: bool = False
    is_relative: bool = False


def norms(residual: Embedding) -> PerExample:
    """The L2 norm of each example; its gradient is 0, not NaN, where the residual is 0.

    Half precision is summed in float32, in which it is returned: it has three digits.
    """
    widened = residual.astype(jnp.promote_types(residual.dtype, jnp.float32))
    squared = _sum(jnp.square(widened))
    zero = squared == 0
    return jnp.where(zero, 0, jnp.sqrt(jnp.where(zero, 1, squared)))


@jax.jit
def distances(one: Embedding, other: Embedding) -> PerExample:
    """The L2 distance of each example's embedding from another's."""
    return norms(one - other)


def l1(residual: Embedding) -> PerExample:
    """Σ|r| with gradient 0 at 0, as PyTorch's; that of `jnp.abs` is 1."""
    return _sum(residual * jax.lax.stop_gradient(jnp.sign(residual)))


def squared_l2(residual: Embedding) -> PerExample:
    """‖r‖²."""
    return _sum(jnp.square(residual))


def _of_residual(base: Distance, target: Embedding) -> Distance:
    return lambda embedding: base(embedding - target)


def _relative(base: Distance, target: Embedding) -> Distance:
    """Over the same of the target; absolute where that is 0."""
    size = base(target)
    factor = 1 / jnp.where(size > 0, size, 1)
    return lambda embedding: factor * base(embedding - target)


def _cosine(target: Embedding) -> Distance:
    """1 − cos of the angle at 0; 1 where one of the two is 0."""
    size = norms(target)
    unit = target / per_example(jnp.where(size > 0, size, 1), target)

    def distance(embedding: Embedding) -> PerExample:
        length = norms(embedding)
        along = _sum(embedding * unit)
        return 1 - along / jnp.where(length > 0, length, 1)

    return distance


def _dot(target: Embedding) -> Distance:
    """Minus the part of the embedding along the target; 0 where that is 0."""
    square = squared_l2(target)
    factor = -1 / jnp.where(square > 0, square, 1)
    return lambda embedding: factor * _sum(embedding * target)


def _dot_cosine(target: Embedding) -> Distance:
    """The same times the squared cosine, which counts 0.1 at least."""
    along, angle = _dot(target), _cosine(target)
    return lambda embedding: along(embedding) * jnp.maximum(1 - angle(embedding), 0.1) ** 2


def _gram(target: Embedding) -> Distance:
    """Of the products of channels, summed over positions: texture (Gatys, Ecker & Bethge 2015)."""
    matched = _relative(squared_l2, _products(target))
    return lambda embedding: matched(_products(embedding))


def _products(embedding: Embedding) -> Float[Array, "b c c"]:
    if embedding.ndim < 3:
        raise ValueError(
            "the objective gram needs an embedding with positions, [B, …, channels], and this"
            f" layer's is {embedding.shape}; choose an earlier layer or another objective"
        )
    positions = embedding.reshape(len(embedding), -1, embedding.shape[-1])
    return jnp.einsum("bpc,bpd->bcd", positions, positions) / positions.shape[1]


OBJECTIVES = {
    "l1": Objective("Σ|r|", partial(_of_residual, l1)),
    "l2": Objective("‖r‖", partial(_of_residual, norms)),
    "squared_l2": Objective("‖r‖²", partial(_of_residual, squared_l2), is_square=True),
    "relative_l2": Objective("‖r‖/‖t‖", partial(_relative, norms), is_relative=True),
    "relative_squared_l2": Objective(
        "(‖r‖/‖t‖)²", partial(_relative, squared_l2), is_square=True, is_relative=True
    ),
    "cosine": Objective("1 − ⟨e, t⟩/(‖e‖‖t‖)", _cosine),
    "dot": Objective("−⟨e, t⟩/‖t‖²", _dot),
    "dot_cosine": Objective("−⟨e, t⟩/‖t‖² · max(cos, 0.1)²", _dot_cosine),
    "gram": Objective("‖G(e) − G(t)‖²/‖G(t)‖², G = mean over positions of e eᵀ", _gram),
}
"""Every objective by name."""

Pieces = tuple[Term, ...]
"""What of an objective is compiled in: its terms without their weights."""


def pieces_of(objective: Sum | Piece) -> Pieces:
    """The part of an objective without its weights; `weights_of` are those."""
    return tuple(one.bare for one in as_sum(objective).terms)


def weights_of(objective: Sum | Piece, scale: float | int = 1.0) -> tuple[float, ...]:
    """The weight of each term, times `scale`."""
    return tuple(scale * one.weight for one in as_sum(objective).terms)


def checked_objective(objective: Sum | Piece) -> Sum | str:
    """An objective whose pieces all exist; see `checked_sum`."""
    return checked_sum(objective, "objective", OBJECTIVES)


def square_of(objective: Sum | Piece) -> Objective | None:
    """The one sum of squares that an objective consists of; None if it is anything else."""
    (piece, _, at, where), *others = pieces_of(objective)
    known = OBJECTIVES.get(piece) if isinstance(piece, str) and not at and not where else None
    return known if known is not None and known.is_square and not others else None


def distance_to(
    target: Embedding,
    pieces: Pieces,
    weights: Float[Array, " terms"],
    split: Callable[[Array], Mapping[str, Array]] | None = None,
) -> Distance:
    """What a descent minimises of an embedding, made for a target.

    Args:
        target: `[B, …]`.
        pieces: of the objective, from `pieces_of`.
        weights: from `weights_of`; another value compiles nothing again.
        split: from an embedding of several layers to each of them, by name.

    Raises:
        ValueError: for a piece of a layer, or of a part of it, that the embedding does not hold.
    """
    parts = split or (lambda _: {})
    targets = {"": target, **parts(target)}
    for at in (one.at for one in pieces):
        if at not in targets:
            held = ", ".join(name for name in targets if name) or "one layer alone"
            raise ValueError(
                f"the objective asks for {at!r}, and the embedding is of {held}; ask for a layer"
                " of several, such as layer1+layer3"
            )
    made = [(one, _made(one.piece, one.part_of(targets[one.at]))) for one in pieces]

    def distance(embedding: Embedding) -> PerExample:
        held = {"": embedding, **parts(embedding)}
        terms = [
            weight * of(one.part_of(held[one.at]))
            for weight, (one, of) in zip(weights, made, strict=True)
        ]
        return sum(terms[1:], start=terms[0])

    return distance


def _made(piece: Piece, target: Any) -> Distance:
    """A piece for a target."""
    if isinstance(piece, str) and piece in OBJECTIVES:
        return OBJECTIVES[piece].made(target)
    function = function_of(piece, "objective") if isinstance(piece, str) else piece
    return lambda embedding: function(embedding, target)


def _sum(x: Embedding) -> PerExample:
    return x.sum(tuple(range(1, x.ndim)))
