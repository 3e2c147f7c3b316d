"""Dropout: the identity in evaluation mode."""

from dataclasses import dataclass
from typing import Any

import flax.linen as nn
from jaxtyping import Array

from depthjax.models.operations.description import Description, describes


def dropout(rate: float) -> nn.Dropout:
    """Dropout; the identity in evaluation mode."""
    return nn.Dropout(rate, parent=None)


@describes(nn.Dropout)
@dataclass(frozen=True)
class DropoutDescription(Description):
    """Nothing is dropped, unless the module was made to drop always."""

    operation: nn.Dropout
    kind = "dropout"
    joined = "by element"
    verb = "keeps"

    @property
    def is_rewritten(self) -> bool:
        """Whether it may be left out."""
        return self.operation.deterministic in (None, True)

    def run(self, weights: Any, *inputs: Array) -> Array:
        """The input."""
        return inputs[0] if self.is_rewritten else super().run(weights, *inputs)

    @property
    def holds_weights(self) -> bool:
        """It has none."""
        return False
