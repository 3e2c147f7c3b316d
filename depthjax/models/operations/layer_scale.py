"""Layer scale (Touvron et al. 2021): a learned factor for each channel of a residual branch."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from depthjax.models.initializers import Stream, constant
from depthjax.models.operations.description import Description, describes
from depthjax.models.operations.shared import Leaves, Path, ones
from depthjax.typing import AnyArray


class LayerScale(nn.Module):
    """`gamma · x` for each channel.

    Fields:
        initial: every factor of an untrained network.
    """

    initial: float = 1e-6

    @nn.compact
    def __call__(self, x: Float[Array, "*batch channels"]) -> Float[Array, "*batch channels"]:
        """Of the same shape."""
        gamma = self.param("gamma", nn.initializers.constant(self.initial), x.shape[-1:])
        return x * gamma[(None,) * (x.ndim - 1)]


@describes(LayerScale)
@dataclass(frozen=True)
class LayerScaleDescription(Description):
    """A factor for each channel, which the layer before may take into its weights."""

    operation: LayerScale
    kind = "layer scale"
    verb = "keeps"

    @property
    def is_affine(self) -> bool:
        """It is linear."""
        return True

    def affine(self, leaves: Leaves) -> tuple[AnyArray, AnyArray]:
        """`gamma`, and no shift."""
        gamma = leaves["params"]["gamma"]
        return gamma, 0.0 * gamma

    def initialize(self, stream: Stream, shapes: Leaves, inputs: list[Any]) -> Leaves:
        """All factors alike."""
        return {"params": {"gamma": constant(self.operation.initial, shapes["params"]["gamma"])}}

    def torch_names(self, paths: Collection[Path]) -> dict[Path, str]:
        """The weight has the operation's own name, as timm's `gamma` of a block."""
        return dict.fromkeys(paths, "")

    def joins(self, shape: tuple[int, ...], leaves: Leaves) -> Callable[..., Array]:
        """Each element to itself, where the factor is not 0."""
        gamma = leaves["params"]["gamma"]
        return lambda x: x * jnp.broadcast_to(ones(gamma, x), x.shape)
