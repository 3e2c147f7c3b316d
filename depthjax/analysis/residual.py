"""Where in an embedding the residual of a recovered image sits: at which positions and channels.

A ρ is one number for a whole embedding. Two images of the same ρ may differ from their target a
little everywhere, or in a few channels that the descent could not match.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from depthjax.typing import Embedding


class Residual(NamedTuple):
    """The shares of ‖r‖², r = O(a_g) − O(a), that positions and channels have.

    NaN for an image whose embedding is its target's.

    Fields:
        positions: summed over channels, `[B, …]` with the axes of positions; each sums to 1.
        channels: summed over positions, `[B, C]`; each sums to 1.
    """

    positions: Float[Array, "b *positions"]
    channels: Float[Array, "b c"]


@jax.jit
def residual_shares(embedding: Embedding, target: Embedding) -> Residual:
    """Where the residual of each image sits.

    Args:
        embedding: of recovered images, `[B, …, C]`.
        target: of their targets, of the same shape.

    Raises:
        ValueError: for an embedding without positions, and for shapes that differ.
    """
    if embedding.ndim < 3 or embedding.shape != target.shape:
        raise ValueError(
            f"embeddings with positions and channels are [B, …, C], got {embedding.shape} and a"
            f" target of {target.shape}"
        )
    square = jnp.square(embedding - target)
    share = square / square.sum(tuple(range(1, square.ndim)), keepdims=True)
    return Residual(share.sum(-1), share.sum(tuple(range(1, share.ndim - 1))))


@jax.jit
def holding_half(shares: Float[Array, "b *rest"]) -> Float[Array, " b"]:
    """How many of the largest shares hold half of all; few where the residual sits in few places.

    Args:
        shares: each sums to 1.
    """
    largest = jnp.sort(shares.reshape(len(shares), -1), axis=1)[:, ::-1]
    before = jnp.cumsum(largest, axis=1) < 0.5 - 1e-6  # of rounding
    count = before.sum(1) + 1.0
    return jnp.where(jnp.isnan(shares).any(tuple(range(1, shares.ndim))), jnp.nan, count)
