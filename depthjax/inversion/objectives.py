"""How far an embedding is from its target: one number for each example.

Each objective is `weight · base(residual)`: the base is static, the weight an array computed once.
A new objective is an entry of `OBJECTIVES` and a case of `base_objective`; all else reads these.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from depthjax.typing import Embedding, PerExample, Scalar


class Objective(NamedTuple):
    """What is known of an objective, without computing it.

    Fields:
        formula: of r = O(a_n) − O(a), the residual of the embedding.
        is_square: whether it is a sum of squares: Gauss–Newton and linear theory need one.
        is_relative: whether it is divided by the target's norm (squared, if it is a square).
    """

    formula: str
    is_square: bool = False
    is_relative: bool = False


OBJECTIVES = {
    "l1": Objective("c·Σ|r|"),
    "l2": Objective("c·‖r‖"),
    "squared_l2": Objective("c·‖r‖²", is_square=True),
    "relative_l2": Objective("c·‖r‖/‖O(a)‖", is_relative=True),
    "relative_squared_l2": Objective("c·(‖r‖/‖O(a)‖)²", is_square=True, is_relative=True),
}
"""Every objective by name."""


def norms(residual: Embedding) -> PerExample:
    """The L2 norm of each example; its gradient is 0, not NaN, where the residual is 0."""
    squared = _sum(jnp.square(residual))
    zero = squared == 0
    return jnp.where(zero, 0, jnp.sqrt(jnp.where(zero, 1, squared)))


def base_objective(objective: str, residual: Embedding) -> PerExample:
    """`Σ|r|`, `‖r‖₂` or `‖r‖₂²` of each example."""
    if objective == "l1":
        # |r| with gradient 0 at 0, as PyTorch's; that of jnp.abs is 1.
        return _sum(residual * jax.lax.stop_gradient(jnp.sign(residual)))
    if OBJECTIVES[objective].is_square:
        return _sum(jnp.square(residual))
    return norms(residual)


def objective_weight(objective: str, target_embedding: Embedding, scale: Scalar) -> PerExample:
    """What the base is multiplied by: `scale`, over `‖target‖₂` (or its square) if relative."""
    known = OBJECTIVES[objective]
    if known.is_relative:
        size = norms(target_embedding)
        return scale / jnp.where(size > 0, size**2 if known.is_square else size, 1)
    return scale * jnp.ones(target_embedding.shape[0], target_embedding.dtype)


def _sum(x: Embedding) -> PerExample:
    return x.sum(tuple(range(1, x.ndim)))
