"""GELU (Hendrycks & Gimpel 2016)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
from jaxtyping import Array, Float

from depthjax.models.operations.description import Description, describes
from depthjax.models.operations.shared import Leaves, keeping_sentence


@dataclass(frozen=True)
class GELU:
    """`x · Φ(x)`, Φ the normal distribution's function; exact by default, as PyTorch's.

    Fields:
        approximate: use `0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³)))`, PyTorch's
            `approximate="tanh"`.
    """

    approximate: bool = False

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Of the same shape."""
        return jax.nn.gelu(x, approximate=self.approximate)


gelu = GELU()
"""GELU as `torch.nn.GELU()` computes it."""


@describes(GELU)
@dataclass(frozen=True)
class GELUDescription(Description):
    """Its derivative is 0 at one point alone, so all values pass."""

    operation: GELU
    kind = "gelu"

    def joins(self, shape: tuple[int, ...], leaves: Leaves) -> Callable[..., Array]:
        """Each element to itself."""
        return lambda x: x

    @classmethod
    def sentence(cls, loss: Any) -> str:
        """Nothing is lost."""
        return keeping_sentence(loss)
