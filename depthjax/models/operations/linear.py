"""Fully connected layers: ours, and Flax's `nn.Dense`."""

from collections.abc import Callable
from dataclasses import dataclass

import flax.linen as nn
from jaxtyping import Array, Float

from depthjax.models.initializers import Initializer, Stream, normal, uniform, uniform_fan_in
from depthjax.models.operations.description import Description, describes
from depthjax.models.operations.shared import Leaves, draw, fan_in_mismatch, ones
from depthjax.typing import AnyArray


def linear(features: int, *, std: float | None = None, bound: float | None = None) -> "Linear":
    """A fully connected layer; see `Linear`."""
    return Linear(features, std=std, bound=bound, parent=None)


class Linear(nn.Module):
    """`x @ kernel + bias`; initialised as PyTorch's `nn.Linear`.

    Fields:
        features: outputs.
        std: draw the kernel from N(0, std²) instead; the bias is 0.
        bound: draw the kernel uniformly from ±bound instead; the bias is 0.
    """

    features: int
    std: float | None = None
    bound: float | None = None

    def initializers(self, kernel_shape: tuple[int, ...]) -> dict[str, Initializer]:
        """How each leaf is drawn; PyTorch bounds the bias by the kernel's fan-in too."""
        if self.std is not None:
            return {"kernel": normal(self.std), "bias": normal(0.0)}
        if self.bound is not None:
            return {"kernel": uniform(self.bound), "bias": normal(0.0)}
        return {"kernel": uniform_fan_in(kernel_shape[0]), "bias": uniform_fan_in(kernel_shape[0])}

    @nn.compact
    def __call__(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch features"]:
        """`[…, inputs]` -> `[…, features]`."""
        shape = (x.shape[-1], self.features)
        init = self.initializers(shape)
        kernel = self.param("kernel", init["kernel"], shape)
        bias = self.param("bias", init["bias"], (self.features,))
        return x @ kernel + bias[(None,) * (x.ndim - 1)]


@describes(nn.Dense)
@dataclass(frozen=True)
class DenseDescription(Description):
    """A matrix product, run as it is."""

    kind = "linear"

    def check_inputs(self, leaves: Leaves, x: Array) -> str:
        """The kernel says how many inputs it takes."""
        return fan_in_mismatch(leaves, x)

    def joins(self, shape: tuple[int, ...], leaves: Leaves) -> Callable[..., Array]:
        """The product with a matrix of ones."""
        return lambda x: x @ ones(leaves["params"]["kernel"], x)


@describes(Linear)
@dataclass(frozen=True)
class LinearDescription(DenseDescription):
    """The same with PyTorch's initialisation; it takes a layer scale into its weights."""

    operation: Linear

    @property
    def absorbs(self) -> bool:
        """Kernel and bias can be scaled."""
        return True

    def freeze(self, leaves: Leaves, after: tuple[AnyArray, AnyArray] | None = None) -> Leaves:
        """The same leaves, scaled."""
        if after is None:
            return leaves
        scale, shift = after
        kernel, bias = leaves["params"]["kernel"], leaves["params"]["bias"]
        return {"params": {"kernel": kernel * scale[None], "bias": bias * scale + shift}}

    def initialize(self, stream: Stream, shapes: Leaves, inputs: list) -> Leaves:
        """Drawn on the host."""
        kernel_shape = shapes["params"]["kernel"].shape
        return {"params": draw(self.operation.initializers(kernel_shape), shapes["params"], stream)}
