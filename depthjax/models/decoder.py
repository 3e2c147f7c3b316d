"""A small convolutional network from embeddings to images (Dosovitskiy & Brox, CVPR 2016)."""

import flax.linen as nn
import jax
from jaxtyping import Array, Float

SLOPE, SIDE = 0.2, 4
"""Of leaky ReLUs, as theirs; and of the map that an embedding without positions becomes."""


class Decoder(nn.Module):
    """Embeddings `[B, h, w, C]` or `[B, …]` to images `[B, H, W, K]`, in any range.

    A map is enlarged twofold between convolutions until it has the size of the image. What has no
    height and width becomes a small map first.

    Attributes:
        shape: of an image, `(H, W, K)`.
        channels: within.
    """

    shape: tuple[int, int, int]
    channels: int

    @nn.compact
    def __call__(self, embedding: Float[Array, "b *features"]) -> Float[Array, "b h w k"]:
        """The images of embeddings."""
        height, width, colours = self.shape
        made = embedding
        if made.ndim != 4:
            made = nn.Dense(SIDE * SIDE * self.channels)(made.reshape(len(made), -1))
            made = nn.leaky_relu(made, SLOPE).reshape(-1, SIDE, SIDE, self.channels)
        made = self._unit(made)
        while made.shape[1] < height or made.shape[2] < width:
            size = min(2 * made.shape[1], height), min(2 * made.shape[2], width)
            made = jax.image.resize(made, (len(made), *size, self.channels), "nearest")
            made = self._unit(made)
        made = jax.image.resize(made, (len(made), height, width, self.channels), "linear")
        return nn.Conv(colours, (3, 3))(made)

    def _unit(self, made: Array) -> Array:
        return nn.leaky_relu(nn.Conv(self.channels, (3, 3))(made), SLOPE)
