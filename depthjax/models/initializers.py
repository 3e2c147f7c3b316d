"""PyTorch's weight distributions, as Flax initialisers that can also be drawn with numpy.

Drawing ResNet-50 through `jit(model.init)` costs six seconds of compilation and draws shape by
shape with `jax.random` five; numpy needs a third of a second. So each initialiser is data, a
distribution and a scale, and `init_variables` draws from it on the host.
"""

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from depthjax.models.network import Network, graph_of

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Initializer:
    """`scale(shape)` times a standard normal, or times a uniform variable on [-1, 1]."""

    distribution: Literal["normal", "uniform"]
    scale: Callable[[Shape], float]

    def __call__(self, key: Array, shape: Shape, dtype: Any = jnp.float32) -> Array:
        """Drawn with `jax.random`: what `model.init` uses."""
        if self.distribution == "normal":
            return self.scale(shape) * jax.random.normal(key, shape, dtype)
        return self.scale(shape) * jax.random.uniform(key, shape, dtype, -1.0, 1.0)

    def draw(self, generator: np.random.Generator, shape: Shape) -> np.ndarray:
        """Drawn with numpy, float32: what `init_variables` uses."""
        scale = np.float32(self.scale(shape))
        if self.distribution == "normal":
            return generator.standard_normal(shape, np.float32) * scale
        return (2 * generator.random(shape, np.float32) - 1) * scale


def _fan_out_std(shape: Shape) -> float:
    return math.sqrt(2.0 / (shape[0] * shape[1] * shape[-1]))


kaiming_normal_fan_out = Initializer("normal", _fan_out_std)
"""`kaiming_normal_(mode="fan_out", nonlinearity="relu")` of a kernel `[h, w, in / groups, out]`."""


def normal(std: float) -> Initializer:
    """A normal distribution of standard deviation `std`."""
    return Initializer("normal", lambda shape: std)


def uniform_fan_in(fan_in: int) -> Initializer:
    """Uniform on ±1/√fan_in: PyTorch's default for the weight and the bias of `nn.Linear`."""
    return Initializer("uniform", lambda shape: 1 / math.sqrt(fan_in))


def init_variables(
    model: Network, key: Array, image_size: int | tuple[int, int] = 224
) -> dict[str, Any]:
    """The variables of an untrained network, distributed as torchvision initialises it.

    In evaluation mode BatchNorm is then the identity (mean 0, variance 1, scale 1, bias 0).
    Each weight is drawn from a stream of its own, seeded by `key` and the weight's name, so that
    two networks share the weights of the layers they share. Drawn on the host: call it outside
    `jit` (inside, `model.init` draws from the same distributions).

    Args:
        model: a model of `depthjax.models`.
        key: a `jax.random.key`.
        image_size: height and width of the images; it matters to MLPs alone.

    Returns:
        `{"params": …, "batch_stats": …}`, float32; `batch_stats` only with BatchNorm.

    Raises:
        ValueError: if the network cannot take images of that size.
    """
    height, width = (image_size, image_size) if isinstance(image_size, int) else image_size
    images = jax.ShapeDtypeStruct((1, height, width, model.channels), jnp.float32)
    shapes = jax.eval_shape(model.init, jax.random.key(0), images)
    seed = [int(word) for word in np.asarray(jax.random.key_data(key)).ravel()]
    operations = {node.name: node.operation for node in graph_of(model)}
    params = {
        name: _draw_operation(operations[name], leaves, [*seed, zlib.crc32(name.encode())])
        for name, leaves in shapes["params"].items()
    }
    statistics = {
        name: {
            "mean": _constant(0.0, leaves["mean"].shape),
            "var": _constant(1.0, leaves["var"].shape),
        }
        for name, leaves in shapes.get("batch_stats", {}).items()
    }
    return {"params": params, "batch_stats": statistics} if statistics else {"params": params}


def _draw_operation(
    operation: Any, leaves: dict[str, jax.ShapeDtypeStruct], seed: list[int]
) -> dict[str, Array]:
    if isinstance(operation, nn.BatchNorm):
        shape = leaves["scale"].shape
        return {"scale": _constant(1.0, shape), "bias": _constant(0.0, shape)}
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence(seed)))
    initializers: dict[str, Any] = (
        {"kernel": operation.kernel_init, "bias": normal(0.0)}
        if isinstance(operation, nn.Conv)
        else operation.initializers(leaves["kernel"].shape)
    )
    # Sorted, so that the kernel's stream does not depend on whether there is a bias.
    return {
        leaf: jnp.asarray(initializers[leaf].draw(generator, leaves[leaf].shape))
        for leaf in sorted(leaves, reverse=True)
    }


def _constant(value: float, shape: Shape) -> Array:
    return jnp.asarray(np.full(shape, value, np.float32))  # jnp.full compiles for each shape
