"""Products of two activations."""

from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, Shaped

from depthjax.models.operations.description import Description, describes
from depthjax.models.operations.shared import Leaves


@dataclass(frozen=True)
class MatMul:
    """Matrix products over the last two axes, all others broadcast."""

    def __call__(
        self, x: Shaped[Array, "*left n k"], y: Shaped[Array, "*right k m"]
    ) -> Shaped[Array, "*both n m"]:
        """`[…, n, k]`, `[…, k, m]` -> `[…, n, m]`."""
        return jnp.matmul(x, y)


@dataclass(frozen=True)
class Einsum:
    """Einstein's sum; the equation has a letter for the batch where an input has one."""

    equation: str

    def __call__(self, *inputs: Shaped[Array, "..."]) -> Shaped[Array, "..."]:
        """As the equation says; an input without the batch's letter has its axis 0 dropped."""
        terms = self.equation.split("->")[0].split(",")
        dropped = [
            x[0] if x.ndim == len(term) + 1 else x for x, term in zip(inputs, terms, strict=True)
        ]
        return jnp.einsum(self.equation, *dropped)


@describes(MatMul, Einsum)
@dataclass(frozen=True)
class ProductDescription(Description):
    """Each output depends on a row of one input and a column of the other."""

    kind = "product"

    def joins(self, shape: tuple[int, ...], leaves: Leaves) -> Callable[..., Array]:
        """The product of each input with ones in place of the others, added up."""

        def join(*inputs: Array) -> Array:
            ones = [jnp.ones_like(x) for x in inputs]
            return sum(
                (
                    self.operation(*ones[:index], x, *ones[index + 1 :])
                    for index, x in enumerate(inputs)
                ),
                jnp.zeros(shape),
            )

        return join
