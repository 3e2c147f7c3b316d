"""Layer normalisation over the channels of each position (Ba, Kiros & Hinton 2016)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array

from depthjax.models.initializers import Stream, constant
from depthjax.models.operations.description import Description, describes
from depthjax.models.operations.shared import Leaves, at_defaults, is_default, ones


def layer_norm(epsilon: float = 1e-5) -> nn.LayerNorm:
    """LayerNorm over the last axis as `torch.nn.LayerNorm(channels)`: ε = 1e-5 and biased variance.

    Flax's own default is ε = 1e-6, and a variance that loses digits where the mean is large.
    """
    return nn.LayerNorm(epsilon=epsilon, use_fast_variance=False, parent=None)


_HONOURED = (
    *("epsilon", "dtype", "param_dtype", "use_bias", "use_scale", "bias_init", "scale_init"),
    *("use_fast_variance", "force_float32_reductions"),
)


@describes(nn.LayerNorm)
@dataclass(frozen=True)
class LayerNormDescription(Description):
    """Each output of a position depends on all channels of that position."""

    operation: nn.LayerNorm
    kind = "layer norm"

    def initialize(self, stream: Stream, shapes: Leaves, inputs: list[Any]) -> Leaves:
        """Scale 1, bias 0."""
        if not all(is_default(self.operation, name) for name in ("scale_init", "bias_init")):
            return super().initialize(stream, shapes, inputs)
        values, leaves = {"scale": 1.0, "bias": 0.0}, shapes["params"]
        return {"params": {n: constant(v, leaves[n]) for n, v in values.items() if n in leaves}}

    def joins(self, shape: tuple[int, ...], leaves: Leaves) -> Callable[..., Array]:
        """All channels of a position to each of them whose scale is not 0."""
        if not at_defaults(self.operation, _HONOURED):  # over other axes
            return super().joins(shape, leaves)

        def join(x: Array) -> Array:
            total = jnp.broadcast_to(x.sum(-1, keepdims=True), x.shape)
            scale = leaves.get("params", {}).get("scale")
            return total if scale is None else total * jnp.broadcast_to(ones(scale, x), x.shape)

        return join
