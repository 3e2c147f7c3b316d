"""Helpers of several descriptions: settings, weights, PyTorch's names, sentences."""

import dataclasses
from collections.abc import Collection
from typing import Any

import flax.linen as nn
import jax
import numpy as np
from jaxtyping import Array

from depthjax.models.initializers import Initializer, Stream

Leaves = Any
"""The variables of one operation: `{"params": {"kernel": …}, "batch_stats": …}`."""
Path = tuple[str, ...]
"""Where a weight lies within its operation: `("kernel",)`, or `("attention", "query", "bias")`."""


def at_defaults(module: nn.Module, but: Collection[str]) -> bool:
    """Whether all fields of a module have their default values, except for those listed.

    A rewrite lists the fields that it takes into account. If any other field differs from its
    default, the module is run as it is. That holds for fields of later versions of Flax too.
    """
    return all(
        field.name in but or _same(getattr(module, field.name), field.default)
        for field in dataclasses.fields(module)
        if field.name not in ("parent", "name")
    )


def _same(value: Any, default: Any) -> bool:
    return value is default or (type(value) is type(default) and bool(np.all(value == default)))


def is_default(module: nn.Module, name: str) -> bool:
    """Whether a field of a module is at its default."""
    return at_defaults(module, [f.name for f in dataclasses.fields(module) if f.name != name])


def draw(initializers: dict[str, Initializer], shapes: Leaves, stream: Stream) -> dict[str, Array]:
    """The weights of an operation, drawn one after the other from its stream."""
    generator = stream.generator()
    # The kernel first, so that its values do not depend on whether there is a bias.
    return {
        leaf: jax.device_put(
            initializers[leaf].draw(generator, shapes[leaf].shape).astype(shapes[leaf].dtype)
        )
        for leaf in sorted(shapes, reverse=True)
    }


_TORCH_NAMES = {
    "kernel": "weight",
    "scale": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "var": "running_var",
}


def torch_name(path: Path) -> str:
    """PyTorch's name of a weight: `kernel` and `scale` are `weight`."""
    return ".".join((*path[:-1], _TORCH_NAMES.get(path[-1], path[-1])))


def outputs_last(kernel: np.ndarray) -> np.ndarray:
    """OIHW -> HWIO and [out, in] -> [in, out]; vectors stay."""
    return kernel.transpose(*range(2, kernel.ndim), 1, 0) if kernel.ndim > 1 else kernel


def outputs_first(kernel: np.ndarray) -> np.ndarray:
    """HWIO -> OIHW and [in, out] -> [out, in]; vectors stay."""
    last = kernel.ndim - 1
    return kernel.transpose(last, last - 1, *range(last - 1)) if kernel.ndim > 1 else kernel


def ones(weights: Array, like: Array) -> Array:
    """1 where a weight is not 0, in the dtype of `like`."""
    return (weights != 0).astype(like.dtype)


def fan_in_mismatch(leaves: Leaves, x: Array, groups: int = 1) -> str:
    """What to say where a kernel `[…, in / groups, out]` cannot take the channels of `x`, or ""."""
    kernel = leaves.get("params", {}).get("kernel")
    if kernel is None or kernel.shape[-2] * groups == x.shape[-1]:
        return ""
    inputs = kernel.shape[-2] * groups
    way = channels_first_hint(x.shape, inputs) or (
        "; use images of the size and channels that the weights were made for"
    )
    return f"has weights for {inputs} inputs but the images give it {x.shape[-1]}{way}"


def channels_first_hint(shape: tuple[int, ...], channels: int) -> str:
    """What to do with images that have their channels where PyTorch has them; else nothing."""
    if len(shape) != 4 or shape[1] != channels or shape[-1] == channels:
        return ""
    return "; channels come last here: jnp.moveaxis(images, 1, -1)"


def mapping_sentence(loss: Any, verb: str) -> str:
    """The sentence about an operation that mixes its inputs."""
    what = f"{loss.name} {verb} {loss.active_inputs:,} active values to {loss.active_outputs:,}"
    if loss.read < loss.active_inputs:
        what += f", reads {loss.read:,} of them"
    return f"{what} and loses at least {loss.lost:,} directions" if loss.lost else what


def kept_values(loss: Any) -> str:
    """How many active values pass."""
    return f"{min(loss.read, loss.active_outputs):,} of {loss.active_inputs:,} active values"


def keeping_sentence(loss: Any) -> str:
    """The sentence about an operation that loses nothing."""
    return f"{loss.name} keeps all {loss.active_inputs:,} active values"
