"""Perceptrons of units with an activation, narrowed at the end without being compiled anew.

The initial weights of a unit do not depend on the width of its layer, so a narrow layer is a part
of a wide one: other units are switched off, and layers of all widths share one compiled program.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import jax.numpy as jnp

from depthjax.models.mlp import ACTIVATIONS
from depthjax.typing import Embedding, Images, LayerFn, Variables


@cache
def unit_layers(activation: str) -> LayerFn:
    """Affine layers, each with its activation: `f(… f(flatten(a) W₁ + b₁) …)`.

    Args:
        activation: one of `depthjax.models.mlp.ACTIVATIONS`.

    Returns:
        `layer(weights, images)`, `[B, H, W, C]` -> `[B, m]`, with weights from `first_units`.
        Units of the last layer that are switched off give 0.
    """
    function = ACTIVATIONS[activation]

    def layer(weights: Variables, images: Images) -> Embedding:
        values = jnp.moveaxis(images, -1, 1).reshape(images.shape[0], -1)
        for affine in weights["layers"]:
            values = function(values @ affine["kernel"] + affine["bias"][None])
        return values * weights["units"][None]

    return layer


def first_units(layers: Sequence[Variables], width: int) -> dict[str, Any]:
    """The weights of `unit_layers` whose last layer has only its first `width` units.

    Args:
        layers: `{"kernel": [n, m], "bias": [m]}` of each.
        width: how many units stay.
    """
    bias = layers[-1]["bias"]
    return {
        "layers": tuple(layers),
        "units": (jnp.arange(bias.shape[0]) < width).astype(bias.dtype),
    }
