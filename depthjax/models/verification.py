"""Compares a prepared layer with its layer at an image, before anything is computed with it."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from numpy.typing import ArrayLike

from depthjax.devices.precision import matmul_precision
from depthjax.errors import name_of_layer
from depthjax.models.embeddings import embed
from depthjax.typing import LayerFn, Variables

_AMPLIFIED = 100
"""All roundings within a network may change its output this many times as much as a change of the
image by one rounding does."""


def verify_prepared(
    layer: LayerFn, variables: Variables, fast: LayerFn, weights: Variables, images: ArrayLike
) -> None:
    """Raises an error if a fast form and its layer are different functions at the first image.

    Both are evaluated once, at one image. Nothing is evaluated where `layer.needs_verification` is
    False: the package's own networks are compared by its tests. The relative distance between the
    two embeddings may be √ε, with ε of the coarsest dtype; wrong strides, paddings or scales exceed
    that by far. For a layer that amplifies rounding, the distance may also be 100 times what a
    change of the image by ε does.

    Args:
        layer, variables: the layer, as it is.
        fast, weights: its fast form.
        images: where they will be evaluated.

    Raises:
        ValueError: if they differ by more than rounding.
    """
    if fast is layer or not getattr(layer, "needs_verification", True):
        return
    with matmul_precision(), jax.default_device(_where(weights)):
        _compare(layer, variables, fast, weights, jnp.asarray(images)[:1])


def _compare(
    layer: LayerFn, variables: Variables, fast: LayerFn, weights: Variables, image: Array
) -> None:
    expected, given = _evaluate(layer, variables, image), _evaluate(fast, weights, image)
    if not np.isfinite(expected).all():
        return  # the caller finds out
    if given.shape != expected.shape:
        raise _refused(layer, f"gives {given.shape} where the layer gives {expected.shape}")
    epsilon = coarsest_epsilon(variables, weights, image)
    nudged = partial(_nudged, layer, variables, image, epsilon)
    distance, allowed = beyond_rounding(expected, given, epsilon, nudged)
    if not distance <= allowed:
        raise _refused(
            layer,
            f"is {distance:.2g} away from the layer (relative), where rounding explains"
            f" {allowed:.1g}",
        )


def beyond_rounding(
    expected: np.ndarray, given: np.ndarray, epsilon: float, nudged: Callable[[], np.ndarray]
) -> tuple[float, float]:
    """How far two embeddings are from one another, relatively, and how far rounding explains.

    Args:
        expected, given: of one shape.
        epsilon: of the coarsest dtype.
        nudged: `expected` of an image that was changed by one rounding; asked for only where √ε
            does not suffice.
    """
    scale = float(np.linalg.norm(expected)) or 1.0
    distance = float(np.linalg.norm(given - expected)) / scale
    allowed = float(np.sqrt(epsilon))
    if not distance <= allowed:
        amplified = float(np.linalg.norm(nudged() - expected)) / scale
        allowed = max(allowed, _AMPLIFIED * amplified)
    return distance, allowed


def _nudged(layer: LayerFn, variables: Variables, image: Array, epsilon: float) -> np.ndarray:
    return _evaluate(layer, variables, image + epsilon * jnp.abs(image).max())


def _evaluate(layer: LayerFn, variables: Variables, images: Array) -> np.ndarray:
    return np.asarray(embed(layer, variables, images), np.float64)


def _where(weights: Variables) -> jax.Device | None:
    """The device of the weights; those that fit on no device are in the host's memory."""
    for leaf in jax.tree.leaves(weights):
        if isinstance(leaf, jax.Array):
            return min(leaf.devices(), key=lambda device: device.id)
    return None


def coarsest_epsilon(*arrays: Any) -> float:
    """The rounding of the coarsest floating dtype among arrays."""
    dtypes = {leaf.dtype for leaf in jax.tree.leaves(arrays) if hasattr(leaf, "dtype")}
    return max(float(jnp.finfo(d).eps) for d in dtypes if jnp.issubdtype(d, jnp.floating))


def _refused(layer: LayerFn, difference: str) -> ValueError:
    owner = type(getattr(layer, "model", layer)).__name__
    return ValueError(
        f"the prepared form of {name_of_layer(layer)} of {owner} {difference}: one of its"
        " operations was rewritten wrongly, and nothing was computed with it; give lambda"
        " variables, images: layer(variables, images), a plain function, and report the network"
    )
