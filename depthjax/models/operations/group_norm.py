"""Normalisation over groups of channels and all positions (Wu & He 2018)."""

from collections.abc import Callable
from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from depthjax.models.operations.description import Description, describes
from depthjax.models.operations.shared import Leaves


class GroupNorm(nn.Module):
    """`(x − mean) / √(var + ε) · scale + bias`, as `torch.nn.GroupNorm`, channels last.

    Fields:
        groups: of channels; as many as channels: instance normalisation.
        affine: whether there is a scale and a bias for each channel.
    """

    groups: int
    epsilon: float = 1e-5
    affine: bool = True

    @nn.compact
    def __call__(self, x: Float[Array, "batch *sizes c"]) -> Float[Array, "batch *sizes c"]:
        """Of the same shape."""
        grouped = x.reshape(x.shape[0], -1, self.groups, x.shape[-1] // self.groups)
        mean = grouped.mean((1, 3), keepdims=True)
        variance = grouped.var((1, 3), keepdims=True)
        y = ((grouped - mean) * jax.lax.rsqrt(variance + self.epsilon)).reshape(x.shape)
        if not self.affine:
            return y
        channels = (x.shape[-1],)
        each = (None,) * (x.ndim - 1)
        scale = self.param("scale", nn.initializers.ones, channels)
        bias = self.param("bias", nn.initializers.zeros, channels)
        return y * scale[each] + bias[each]


@describes(GroupNorm)
@dataclass(frozen=True)
class GroupNormDescription(Description):
    """Each output of a group depends on all channels and positions of that group."""

    operation: GroupNorm
    kind = "group norm"

    def joins(self, shape: tuple[int, ...], leaves: Leaves) -> Callable[..., Array]:
        """All of a group to each of its elements."""

        def join(x: Array) -> Array:
            groups = self.operation.groups
            grouped = x.reshape(x.shape[0], -1, groups, x.shape[-1] // groups)
            total = grouped.sum((1, 3), keepdims=True)
            return jnp.broadcast_to(total, grouped.shape).reshape(x.shape)

        return join
