"""Types of the arrays and functions that the whole package uses."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Array, Float

AnyArray: TypeAlias = Array | np.ndarray
"""An array of JAX, or of NumPy in the host's memory."""

Image: TypeAlias = Float[Array, "height width channels"]
"""One image, channels last; pixels in [0, 1], though a descent may leave that range."""

Images: TypeAlias = Float[Array, "batch height width channels"]
"""A batch of images, channels last; pixels in [0, 1], though a descent may leave that range."""

Embedding: TypeAlias = Float[Array, "batch *features"]
"""The output of a layer for a batch of images; any shape after the batch axis."""

Inputs: TypeAlias = Float[Array, "batch *inputs"]
"""The input of a layer: images, or the activation of an earlier layer."""

PerExample: TypeAlias = Float[Array, " batch"]
"""One number for each image of a batch."""

Scalar: TypeAlias = float | int | Float[Array, ""]
"""A number that may be traced by JAX: a new value does not compile a program again."""

Variables: TypeAlias = Any
"""Weights and statistics, any pytree of arrays; always an argument, never closed over."""

LayerFn: TypeAlias = Callable[[Variables, Images], Embedding]
"""The contract for layers: a pure function of weights and images. Any model can provide it."""
