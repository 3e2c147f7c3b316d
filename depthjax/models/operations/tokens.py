"""What vision transformers do to a sequence of patches: a class token, and positions."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from depthjax.models.initializers import Initializer, Stream, normal
from depthjax.models.operations.description import Description, describes
from depthjax.models.operations.shared import Leaves, Path, draw

Tokens = Float[Array, "batch tokens channels"]


class ClassToken(nn.Module):
    """A learned token before all others."""

    initializer: Initializer = normal(1e-6)

    @nn.compact
    def __call__(self, x: Tokens) -> Float[Array, "batch one_more channels"]:
        """`[B, N, C]` -> `[B, 1 + N, C]`."""
        token = self.param("token", self.initializer, (1, 1, x.shape[-1]))
        return jnp.concatenate([jnp.broadcast_to(token, (len(x), 1, x.shape[-1])), x], 1)


class PositionEmbedding(nn.Module):
    """A learned vector for each position, which is added."""

    initializer: Initializer = normal(0.02)

    @nn.compact
    def __call__(self, x: Tokens) -> Tokens:
        """`[B, N, C]` -> `[B, N, C]`."""
        return x + self.param("positions", self.initializer, (1, *x.shape[1:]))


def first_token(x: Tokens) -> Float[Array, "batch channels"]:
    """The class token alone: `[B, N, C]` -> `[B, C]`."""
    return x[:, 0]


class _LearnedDescription(Description):
    """A single weight, which has the operation's own name, as timm's `cls_token`."""

    verb = "keeps"

    def initialize(self, stream: Stream, shapes: Leaves, inputs: list[Any]) -> Leaves:
        """Drawn on the host."""
        initializers = dict.fromkeys(shapes["params"], self.operation.initializer)
        return {"params": draw(initializers, shapes["params"], stream)}

    def torch_names(self, paths: Collection[Path]) -> dict[Path, str]:
        """None but the operation's."""
        return dict.fromkeys(paths, "")


@describes(ClassToken)
@dataclass(frozen=True)
class ClassTokenDescription(_LearnedDescription):
    """All tokens pass; the new one depends on no image."""

    kind = "class token"

    def joins(self, shape: tuple[int, ...], leaves: Leaves) -> Callable[..., Array]:
        """A token of zeros before all others."""
        return lambda x: jnp.pad(x, ((0, 0), (1, 0), (0, 0)))


@describes(PositionEmbedding)
@dataclass(frozen=True)
class PositionEmbeddingDescription(_LearnedDescription):
    """A shift."""

    kind = "position embedding"
    joined = "by element"


@describes(first_token)
@dataclass(frozen=True)
class FirstTokenDescription(Description):
    """The other tokens are not read."""

    kind = "token"
    joined = "as it is"
    verb = "moves"
