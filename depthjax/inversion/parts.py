"""Layers whose embedding holds those of several layers, which an objective can ask for by name."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import jax.numpy as jnp
from jaxtyping import Array

from depthjax.typing import Embedding, Images, LayerFn, PerExample, Variables

Shapes = tuple[tuple[str, tuple[int, ...]], ...]
"""The name of each part, in the order of the embedding, and its shape without the batch axis."""


@dataclass(frozen=True)
class PartedLayer:
    """A layer that knows what its embedding `[B, n]` is made of.

    Fields:
        layer: a function `(weights, images) -> embedding`.
        shapes: of the parts of that embedding.
    """

    layer: LayerFn
    shapes: Shapes

    def __call__(self, weights: Variables, images: Images) -> Embedding:
        """Images `[B, H, W, C]` to their embedding `[B, n]`."""
        return self.layer(weights, images)

    def observe(self, weights: Variables, images: Images) -> tuple[Embedding, PerExample]:
        """The embedding, and what the layer tells beside it (`models.moments`)."""
        return self.layer.observe(weights, images)  # type: ignore[attr-defined]

    @property
    def pushable(self) -> "PartedLayer":
        """The same where it is to be pushed forward."""
        return replace(self, layer=getattr(self.layer, "pushable", self.layer))

    def parts(self, embedding: Embedding) -> dict[str, Array]:
        """The embedding of each layer, by name."""
        ends = [0]
        for _, shape in self.shapes:
            ends.append(ends[-1] + math.prod(shape))
        cut = jnp.split(embedding, ends[1:-1], axis=1)
        return {
            name: part.reshape(-1, *shape)
            for (name, shape), part in zip(self.shapes, cut, strict=True)
        }


def parts_of(layer: LayerFn) -> Callable[[Embedding], dict[str, Array]] | None:
    """What splits a layer's embedding; None if it is of one layer."""
    return getattr(layer, "parts", None)
