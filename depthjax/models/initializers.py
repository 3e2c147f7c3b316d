"""PyTorch's weight distributions, as Flax initialisers that can also be drawn with numpy.

For ResNet-50, `jit(model.init)` takes six seconds to compile, and `jax.random`, called for each
shape, five; numpy takes a third of a second. So an initialiser is data, a distribution and a scale,
and `init_variables` draws from it on the host.
"""

import functools
import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

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


class Stream(NamedTuple):
    """The source of an operation's random numbers: they depend on a key and its name alone."""

    key: Array
    name: str

    def generator(self) -> np.random.Generator:
        """Numpy's, for initialisers of this package."""
        seed = [int(word) for word in np.asarray(jax.random.key_data(self.key)).ravel()]
        sequence = np.random.SeedSequence([*seed, zlib.crc32(self.name.encode())])
        return np.random.Generator(np.random.Philox(sequence))

    def jax_key(self) -> Array:
        """JAX's, for Flax's initialisers."""
        return jax.random.fold_in(self.key, zlib.crc32(self.name.encode()))


@functools.cache  # so that equal initialisers, and modules that hold them, compare equal
def normal_fan_out(groups: int) -> Initializer:
    """N(0, 2 / fan-out) for a kernel `[h, w, in / groups, out]`: the fan-out is of one group."""
    return Initializer(
        "normal", lambda shape: math.sqrt(2.0 * groups / (shape[0] * shape[1] * shape[-1]))
    )


kaiming_normal_fan_out = normal_fan_out(1)
"""`kaiming_normal_(mode="fan_out", nonlinearity="relu")`, which forgets the groups."""


@functools.cache
def normal(std: float) -> Initializer:
    """A normal distribution of standard deviation `std`."""
    return Initializer("normal", lambda shape: std)


@functools.cache
def uniform(bound: float) -> Initializer:
    """Uniform on ±bound."""
    return Initializer("uniform", lambda shape: bound)


def uniform_fan_in(fan_in: int) -> Initializer:
    """Uniform on ±1/√fan_in: PyTorch's default for the weight and the bias of `nn.Linear`."""
    return uniform(1 / math.sqrt(fan_in))


def constant(value: float, shape: jax.ShapeDtypeStruct) -> Array:
    """An array of one value, made on the host: `jnp.full` compiles for each shape."""
    return jax.device_put(np.full(shape.shape, value, shape.dtype))
