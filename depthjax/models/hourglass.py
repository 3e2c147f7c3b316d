"""The hourglass network of the deep image prior: an image in, an image of the same size out."""

import flax.linen as nn
import jax
import jax.numpy as jnp
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
    made = nn.Conv(channels, (size, size), strides, padding=size // 2)(given)
    return nn.leaky_relu(nn.InstanceNorm()(made), SLOPE)
