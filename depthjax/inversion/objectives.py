"""How far an embedding is from its target: one number for each example.

Each objective is `weight · base(residual)`: the base is static, the weight an array computed once.
"""

import jax
import jax.numpy as jnp

from depthjax.typing import Embedding, PerExample, Scalar

OBJECTIVES = ("l1", "l2", "squared_l2", "relative_l2", "relative_squared_l2")


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
    if "squared" in objective:
        return _sum(jnp.square(residual))
    return norms(residual)


def objective_weight(objective: str, target_embedding: Embedding, scale: Scalar) -> PerExample:
    """What the base is multiplied by: `scale`, over `‖target‖₂` (or its square) if relative."""
    if objective.startswith("relative"):
        size = norms(target_embedding)
        return scale / jnp.where(size > 0, size**2 if "squared" in objective else size, 1)
    return scale * jnp.ones(target_embedding.shape[0], target_embedding.dtype)


def _sum(x: Embedding) -> PerExample:
    return x.sum(tuple(range(1, x.ndim)))
