"""BatchNorm: PyTorch's, and Flax's `nn.BatchNorm`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from depthjax.models.initializers import Stream, constant
from depthjax.models.operations.description import Description, describes
from depthjax.models.operations.shared import (
    Leaves,
    at_defaults,
    is_default,
    keeping_sentence,
    kept_values,
    ones,
)
from depthjax.typing import AnyArray


def batch_norm(epsilon: float = 1e-5) -> "BatchNorm":
    """BatchNorm with PyTorch's epsilon 1e-5 and momentum 0.1 (0.9 in Flax's convention)."""
    return BatchNorm(momentum=0.9, epsilon=epsilon, use_fast_variance=False, parent=None)


class BatchNorm(nn.BatchNorm):
    """BatchNorm as PyTorch trains it, for any floating dtype.

    In training, with n values for each channel, `y = scale · (x − mean) / √(var + ε) + bias` takes
    the batch's mean and biased variance, and the running variance moves by the unbiased one:
    `running ← momentum · running + (1 − momentum) · n / (n − 1) · var`. Flax moves it by `var`.
    Both are computed in two passes (`use_fast_variance=False`) and kept in float32 at least,
    whatever the dtype of the images.
    """

    @nn.compact
    def __call__(  # type: ignore[override]
        self, x: Float[Array, "*batch channels"], use_running_average: bool | None = None
    ) -> Float[Array, "*batch channels"]:
        """Channels last, normalised; in the dtype of `x`.

        Args:
            x: `[…, C]`.
            use_running_average: whether in evaluation mode.
        """
        trains = not nn.merge_param(
            "use_running_average", self.use_running_average, use_running_average
        )
        held = dict(self.variables.get("batch_stats", {}))
        y = super().__call__(x, not trains)
        if trains and not self.is_initializing():
            moved = self.variables["batch_stats"]
            # Flax has added (1 − momentum) · var; 1 / (n − 1) of that is what is missing. One value
            # has no variance: PyTorch refuses it, here the running variance shrinks.
            others = max(x.size // x.shape[-1] - 1, 1)
            by_batch = moved["var"] - self.momentum * held["var"]
            new = {"mean": moved["mean"], "var": moved["var"] + by_batch / others}
            for name, value in new.items():
                self.put_variable("batch_stats", name, value.astype(held[name].dtype))
        return y.astype(x.dtype)


_TRAINING = ("momentum", "axis_name", "axis_index_groups", "use_fast_variance")
_INITIAL = ("scale_init", "bias_init", "param_dtype")
_HONOURED = ("use_running_average", "epsilon", "use_scale", "use_bias", *_TRAINING, *_INITIAL)


@describes(nn.BatchNorm, BatchNorm)
@dataclass(frozen=True)
class Normalisation(Description):
    """BatchNorm in evaluation mode is `scale · x + shift` for each channel."""

    operation: nn.BatchNorm
    kind = "batch norm"

    @property
    def _is_by_channel(self) -> bool:
        """Whether all settings are honoured: channels last, and the running statistics."""
        held = self.operation.use_running_average in (None, True)
        return held and at_defaults(self.operation, _HONOURED)

    @property
    def is_rewritten(self) -> bool:
        """Flax takes the result's dtype from scale and bias; without both it is that of `x`."""
        return self._is_by_channel and (self.operation.use_scale or self.operation.use_bias)

    @property
    def is_affine(self) -> bool:
        """It can be taken into a convolution before it."""
        return self.is_rewritten

    def affine(self, leaves: Leaves) -> tuple[AnyArray, AnyArray]:
        """`scale / √(var + ε)` and `bias − mean · scale / √(var + ε)`; without them 1 and 0."""
        params, moments = leaves.get("params", {}), leaves["batch_stats"]
        scale = (moments["var"] + self.operation.epsilon) ** -0.5
        if self.operation.use_scale:
            scale = params["scale"] * scale
        shift = -moments["mean"] * scale
        if self.operation.use_bias:
            shift = params["bias"] - moments["mean"] * scale
        return scale, shift

    def freeze(self, leaves: Leaves, after: tuple[AnyArray, AnyArray] | None = None) -> Any:
        """Scale and shift."""
        if not self.is_rewritten:
            return leaves
        scale, shift = self.affine(leaves)
        return {"scale": scale, "bias": shift}

    def run(self, weights: Any, *inputs: Array) -> Array:
        """`scale · x + shift`."""
        if not self.is_rewritten:
            return super().run(weights, *inputs)
        (x,) = inputs
        each = (None,) * (x.ndim - 1)
        y = x * weights["scale"][each] + weights["bias"][each]
        return y.astype(x.dtype) if isinstance(self.operation, BatchNorm) else y

    def initialize(self, stream: Stream, shapes: Leaves, inputs: list[Any]) -> Leaves:
        """Scale 1, bias 0, mean 0, variance 1: the identity."""
        if not all(is_default(self.operation, name) for name in ("scale_init", "bias_init")):
            return super().initialize(stream, shapes, inputs)
        values = {"scale": 1.0, "bias": 0.0, "mean": 0.0, "var": 1.0}
        return {
            group: {name: constant(v, leaves[name]) for name, v in values.items() if name in leaves}
            for group, leaves in shapes.items()
        }

    def joins(self, shape: tuple[int, ...], leaves: Leaves) -> Callable[..., Array]:
        """Each element to itself, where the scale is not 0."""
        if not self._is_by_channel:
            return super().joins(shape, leaves)
        scale = leaves.get("params", {}).get("scale")
        if scale is None:
            return lambda x: x
        return lambda x: x * jnp.broadcast_to(ones(scale, x), x.shape)

    def zero_scales(self, leaves: Leaves, dtype: Any) -> int:
        """Channels whose |scale| / √(var + ε) is at most the dtype's epsilon times the largest."""
        scale = leaves.get("params", {}).get("scale")
        if scale is None:
            return 0
        variance = np.asarray(leaves["batch_stats"]["var"])
        gain = np.abs(np.asarray(scale)) / np.sqrt(variance + self.operation.epsilon)
        return int((gain <= jnp.finfo(dtype).eps * gain.max()).sum())

    @classmethod
    def sentence(cls, loss: Any) -> str:
        """Only channels that are scaled by nearly 0 are lost."""
        if loss.zero_scales:
            channels = f"scales {loss.zero_scales:,} channels by nearly 0"
            return f"{loss.name} {channels} and keeps {kept_values(loss)}"
        return keeping_sentence(loss)
