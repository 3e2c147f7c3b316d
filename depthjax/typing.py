"""Names for the arrays and functions that everything above this file speaks in."""

from collections.abc import Callable
from typing import Any, TypeAlias

from jaxtyping import Array, Float

Image: TypeAlias = Float[Array, "height width channels"]
"""One image, channels last, pixels in [0, 1] unless a descent left that range."""

Images: TypeAlias = Float[Array, "batch height width channels"]
"""A batch of images, channels last, pixels in [0, 1] unless a descent left that range."""

Embedding: TypeAlias = Float[Array, "batch *features"]
"""What a layer makes of a batch of images; any shape after the batch."""

Inputs: TypeAlias = Float[Array, "batch *inputs"]
"""What a layer takes: images, or the activation of an earlier layer."""

PerExample: TypeAlias = Float[Array, " batch"]
"""One number for each image of a batch."""

Scalar: TypeAlias = float | int | Float[Array, ""]
"""A number that may be traced: changing it compiles nothing again."""

Variables: TypeAlias = Any
"""Weights and statistics, any pytree of arrays: always an argument, never closed over."""

LayerFn: TypeAlias = Callable[[Variables, Images], Embedding]
"""The one contract: a pure function of weights and images. Any model can be made into it."""
