"""Attention (Vaswani et al. 2017)."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

from depthjax.models.operations.description import Description, describes
from depthjax.models.operations.shared import Leaves


@dataclass(frozen=True)
class Attention:
    """`softmax(scale · q kᵀ + mask) v`, for each head; `torch`'s `scaled_dot_product_attention`.

    Fields:
        scale: by default 1 / √(channels of q).
        causal: a query sees only the keys at and before its own place.
    """

    scale: float | None = None
    causal: bool = False

    def __call__(
        self,
        q: Float[Array, "*batch n c"],
        k: Float[Array, "*keys m c"],
        v: Float[Array, "*values m d"],
        mask: Shaped[Array, "*masks"] | None = None,
    ) -> Float[Array, "*outputs n d"]:
        """`[B, heads, n, c]`, `[B, heads, m, c]`, `[B, heads, m, d]` -> `[B, heads, n, d]`.

        A mask broadcasts to `[B, heads, n, m]`: added, or, of booleans, False where not seen.
        """
        scale = q.shape[-1] ** -0.5 if self.scale is None else self.scale
        scores = jnp.matmul(q * scale, jnp.swapaxes(k, -1, -2))
        if self.causal:
            seen = jnp.tril(jnp.ones(scores.shape[-2:], bool))
            scores = jnp.where(seen, scores, -jnp.inf)
        if mask is not None:
            is_bool = mask.dtype == jnp.bool_
            scores = jnp.where(mask, scores, -jnp.inf) if is_bool else scores + mask
        return jnp.matmul(jax.nn.softmax(scores, -1), v)


@dataclass(frozen=True)
class SelfAttention:
    """Attention between the positions of one activation, which holds queries, keys and values.

    Fields:
        heads: the channels of each of the three are cut into so many heads.
    """

    heads: int

    def __call__(self, qkv: Float[Array, "*batch n three_c"]) -> Float[Array, "*batch n c"]:
        """`[B, n, 3·c]`: queries, keys, values -> `[B, n, c]`: one head after the other."""
        return self.of(Attention(), qkv)

    def of(self, attention: Callable[..., Array], qkv: Array) -> Array:
        """The same with another function of queries, keys and values in place of attention."""
        *batch, n, channels = qkv.shape
        parts = qkv.reshape(*batch, n, 3, self.heads, channels // (3 * self.heads))
        # [B, n, 3, heads, d] -> 3 times [B, heads, n, d]
        q, k, v = (jnp.swapaxes(parts[..., part, :, :], -2, -3) for part in range(3))
        return jnp.swapaxes(attention(q, k, v), -2, -3).reshape(*batch, n, channels // 3)


@describes(Attention)
@dataclass(frozen=True)
class AttentionDescription(Description):
    """Each output depends on its query, on all keys of its head, and on a channel of all values."""

    operation: Attention
    kind = "attention"

    def joins(self, shape: tuple[int, ...], leaves: Leaves) -> Callable[..., Array]:
        """The sum of these."""

        def join(q: Array, k: Array, v: Array, *mask: Array) -> Array:
            one_query = jnp.broadcast_to(q.sum(-1, keepdims=True), shape)
            keys = jnp.broadcast_to(k.sum((-1, -2), keepdims=True), shape)
            return one_query + keys + jnp.broadcast_to(v.sum(-2, keepdims=True), shape)

        return join


@describes(SelfAttention)
@dataclass(frozen=True)
class SelfAttentionDescription(Description):
    """Attention for each head, of three parts of one activation."""

    operation: SelfAttention
    kind = "attention"

    def joins(self, shape: tuple[int, ...], leaves: Leaves) -> Callable[..., Array]:
        """Those of attention, from each of the three parts."""

        def join(q: Array, k: Array, v: Array) -> Array:
            return AttentionDescription(Attention()).joins(v.shape, leaves)(q, k, v)

        return lambda qkv: self.operation.of(join, qkv)
