"""The hourglass network of the deep image prior: an image in, an image of the same size out."""

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

SKIPPED, SLOPE = 4, 0.2
"""Channels of a skip connection, and the slope of leaky ReLUs."""


class Hourglass(nn.Module):
    """An image of the size of its input, with values between 0 and 1.

    Attributes:
        channels: within.
        colours: of the image.
        levels: how often the input is halved.
    """

    channels: int
    colours: int
    levels: int

    @nn.compact
    def __call__(self, given: Float[Array, "b h w c"]) -> Float[Array, "b h w k"]:
        """The image of an input."""
        made = self._level(given, self.levels)
        return nn.sigmoid(nn.Conv(self.colours, (1, 1))(made))

    def _level(self, given: Array, levels: int) -> Array:
        if levels == 0:
            return given
        skipped = _unit(given, SKIPPED, 1)
        deep = _unit(_unit(given, self.channels, 3, strides=2), self.channels, 3)
        deep = self._level(deep, levels - 1)
        deep = jax.image.resize(deep, (*given.shape[:3], deep.shape[-1]), "linear")
        joined = nn.InstanceNorm()(jnp.concatenate([deep, skipped], -1))
        return _unit(_unit(joined, self.channels, 3), self.channels, 1)


def _unit(given: Array, channels: int, size: int, strides: int = 1) -> Array:
    padding = [(size // 2, size // 2)] * 2
    convolution = nn.Conv(
        channels, (size, size), strides, padding=padding, conv_general_dilated=_by_places
    )
    return nn.leaky_relu(nn.InstanceNorm()(convolution(given)), SLOPE)


def _by_places(
    x: Array, kernel: Array, strides: Sequence[int], padding: Any, **_: Any
) -> Float[Array, "b h w c"]:
    """A convolution as a sum of products, one for each place of the kernel.

    Each image has a kernel of its own and kernels are moved. A convolution over such a batch, and
    the gradient of any with respect to its kernel, are an order of magnitude slower on a CPU.
    """
    padded = jnp.pad(x, [(0, 0), *padding, (0, 0)])
    rows, columns = (
        (side - width) // stride + 1
        for side, width, stride in zip(padded.shape[1:3], kernel.shape[:2], strides, strict=True)
    )
    down, right = strides
    y = jnp.zeros((len(x), rows, columns, kernel.shape[-1]), x.dtype)
    for i, j in np.ndindex(kernel.shape[:2]):
        seen = padded[:, i : i + down * rows : down, j : j + right * columns : right]
        y += seen @ kernel[i, j]
    return y
