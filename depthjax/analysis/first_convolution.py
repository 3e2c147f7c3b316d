"""What the first convolution of a network certainly keeps: a proof, where products show none."""

import math

import jax
import numpy as np

from depthjax.devices.memory import NoRoom
from depthjax.jacobian import conv_values_exceed
from depthjax.models.embeddings import embedding_shape
from depthjax.models.layers import Layer
from depthjax.models.network import INPUT, needed_nodes
from depthjax.models.operations.convolution import Convolution
from depthjax.models.operations.description import describe
from depthjax.typing import LayerFn, Variables

_CLOSE, _STEP, _FLOOR = 0.95, 0.5, 1e-3
"""What is tried: this part of the upper bound, half of it, …, down to so small a part."""


def least_singular_value(
    layer: LayerFn, variables: Variables, size: tuple[int, int], upper: float
) -> float | None:
    """A lower bound on all n singular values of a layer that is one convolution of the image.

    Such a layer is linear, so that the bound holds at every image. A bound above 0 means that no
    change of the image is lost.

    Args:
        layer: a `Layer`, and its normalisation of the pixels.
        variables: of its model.
        size: height and width of the image.
        upper: an upper bound on the smallest singular value that is not 0, such as
            `depthjax.jacobian.smallest_nonzero` finds; the lower one is a part of it.

    Returns:
        0.0 if no part of `upper` down to a thousandth is a bound, and where there are fewer outputs
        than inputs. None for layers that are not one convolution without groups and dilation, and
        where memory is too small.
    """
    if not isinstance(layer, Layer) or (convolution := _convolution(layer)) is None:
        return None
    kernel = np.asarray(variables["params"][layer.node]["kernel"], np.float64)
    if convolution.operation.mask is not None:
        kernel = kernel * np.asarray(convolution.operation.mask)
    if layer.normalization:
        kernel = kernel / np.asarray(layer.normalization.std)[:, None]
    geometry = convolution.geometry
    padding = geometry.pads(size, kernel.shape[:2])
    image = jax.ShapeDtypeStruct((1, *size, kernel.shape[2]), np.float32)
    outputs = math.prod(embedding_shape(layer, variables, image).shape)
    if outputs < math.prod(image.shape) or not upper > 0:
        return 0.0
    part = _CLOSE
    while part >= _FLOOR:
        bound = part * upper
        try:
            if conv_values_exceed(kernel, size, bound, strides=geometry.strides, padding=padding):
                return bound
        except NoRoom:
            return None
        part *= _STEP
    return 0.0


def _convolution(layer: Layer) -> Convolution | None:
    """A layer that is one plain convolution of the image, described; None for any other."""
    if layer.start != INPUT:
        return None
    nodes = needed_nodes(layer.model, layer.node)
    described = describe(nodes[-1].operation)
    if len(nodes) > 1 or not isinstance(described, Convolution) or not described.is_rewritten:
        return None
    geometry = described.geometry
    plain = geometry.groups == 1 and {*geometry.dilation, *geometry.input_dilation} == {1}
    return described if plain else None
