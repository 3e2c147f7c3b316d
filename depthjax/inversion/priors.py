"""What a descent assumes of images: how they are smoothed, and what their pixels may be."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from depthjax.typing import Images

PIXEL_HANDLING = ("none", "clip", "penalty")


def blur3(images: Images, sigma: Float[Array, ""]) -> Images:
    """A 3×3 Gaussian blur of standard deviation `sigma` pixels, reflecting at the border.

    The same numbers as `torchvision.transforms.functional.gaussian_blur(x, 3, sigma)`, as shifted
    sums: on the CPU a depthwise convolution would cost as much as a whole first layer.
    """
    side = jnp.exp(-0.5 / sigma**2)
    centre, side = 1 / (1 + 2 * side), side / (1 + 2 * side)
    batch, height, width, channels = images.shape
    # Rows of width × channels: loops over a last axis of 3 would not be vectorised.
    rows = _reflected(_reflected(images.reshape(batch, height, -1), 1, 1), 2, channels)
    rows = centre * rows[:, 1:-1] + side * (rows[:, :-2] + rows[:, 2:])
    left, middle, right = (rows[..., i * channels :][..., : width * channels] for i in range(3))
    return (centre * middle + side * (left + right)).reshape(images.shape)


def _reflected(array: Float[Array, "b h w"], axis: int, pixel: int) -> Float[Array, "b h2 w2"]:
    """With a pixel more at either end of an axis, the image mirrored at its border pixels."""
    size = array.shape[axis]
    if size == pixel:  # one pixel is its own mirror image
        return jnp.concatenate([array] * 3, axis)
    first = jax.lax.slice_in_dim(array, pixel, 2 * pixel, axis=axis)
    last = jax.lax.slice_in_dim(array, size - 2 * pixel, size - pixel, axis=axis)
    return jnp.concatenate([first, array, last], axis)
