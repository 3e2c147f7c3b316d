"""The deep image prior: an image as the output of a convolutional network, whose weights are moved.

What such a network makes after few steps is smooth and repeats itself as photographs do, whatever
it is asked for (Ulyanov, Vedaldi & Lempitsky, *Deep Image Prior*, CVPR 2018). This is their
hourglass with skip connections, with fewer channels, and normalised over each image by itself.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from depthjax.models.hourglass import Hourglass
from depthjax.typing import Images

LEVELS = 5
"""How often the image is halved at most."""


def deep_prior_of(
    shape: tuple[int, ...], channels: int
) -> tuple[Callable[[Any], Images], Callable[[Images], Any]]:
    """The two functions of a parametrisation: weights to images, and a start to weights.

    The start is the input of the network, which is not moved; weights begin the same for all.

    Args:
        shape: of an image, `(H, W, C)`.
        channels: of the network.
    """
    levels = min(LEVELS, (min(shape[:2]) - 1).bit_length() - 1)
    network = Hourglass(channels, shape[-1], max(levels, 0))

    def encode(images: Images) -> dict[str, Any]:
        weights = network.init(jax.random.key(0), images[:1])["params"]
        each = jax.tree.map(lambda w: jnp.repeat(w[None], len(images), 0), weights)
        return {"weights": jax.tree.map(lambda w: w.astype(images.dtype), each), "input": images}

    def decode(parameters: dict[str, Any]) -> Images:
        def one(weights: Any, given: Array) -> Array:
            return network.apply({"params": weights}, given[None])[0]

        given = jax.lax.stop_gradient(parameters["input"])
        made: Images = jax.vmap(one)(parameters["weights"], given)
        return made

    return decode, encode
