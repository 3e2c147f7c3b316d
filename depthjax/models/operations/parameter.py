"""Weights and constants that are activations themselves: class tokens, position embeddings."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Shaped

from depthjax.models.operations.description import Description, describes
from depthjax.models.operations.shared import Leaves, Path


class Parameter(nn.Module):
    """A weight of some shape, with a leading axis of size 1 for the batch; it takes no input."""

    shape: tuple[int, ...]
    initializer: Callable[..., Array] = nn.initializers.zeros

    @nn.compact
    def __call__(self) -> Shaped[Array, "1 *shape"]:
        """`[1, *shape]`."""
        return self.param("value", self.initializer, self.shape)[None]


@dataclass(frozen=True)
class Constant:
    """Numbers that are no weights, with a leading axis of size 1; compared by value.

    Fields:
        data, shape, dtype: the bytes of a C-ordered array, its shape and NumPy's name of its type.
    """

    data: bytes
    shape: tuple[int, ...]
    dtype: str

    def __call__(self) -> Shaped[Array, "1 *shape"]:
        """`[1, *shape]`; float64 only where x64 is on."""
        return jnp.asarray(self.array)[None]

    @property
    def array(self) -> Shaped[np.ndarray, "*shape"]:
        """The numbers."""
        return np.frombuffer(self.data, self.dtype).reshape(self.shape)


def constant(array: np.ndarray) -> Constant:
    """An array as a `Constant`."""
    return Constant(array.tobytes(), array.shape, array.dtype.name)


@describes(Parameter, Constant)
@dataclass(frozen=True)
class ParameterDescription(Description):
    """It does not depend on the images."""

    kind = "parameter"

    def torch_names(self, paths: Collection[Path]) -> dict[Path, str]:
        """The weight has the operation's own name."""
        return dict.fromkeys(paths, "")

    def to_torch(self, path: Path, array: np.ndarray) -> np.ndarray:
        """As it is."""
        return array

    def from_torch(self, path: Path, array: np.ndarray) -> np.ndarray:
        """As it is."""
        return array

    def joins(self, shape: tuple[int, ...], leaves: Leaves) -> Callable[..., Array]:
        """Nothing is joined to it."""
        return lambda: jnp.zeros(shape)
