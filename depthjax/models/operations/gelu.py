"""GELU (Hendrycks & Gimpel 2016)."""

from dataclasses import dataclass

import jax
from jaxtyping import Array, Float

from depthjax.models.operations.description import Description, describes


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
    joined = "by element"
    verb = "keeps"
