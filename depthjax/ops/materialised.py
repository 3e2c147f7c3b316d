"""An array that is computed once and kept in memory, however many read it."""

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Shaped


def materialised(x: Shaped[Array, "*shape"]) -> Shaped[Array, "*shape"]:
    """The same array; its cotangent is kept in memory, too.

    XLA's CPU backend computes cheap operations again wherever they are read, and a chain of them
    from its beginning. It removes `lax.optimization_barrier` before it fuses, but never fuses a
    reduction over a leading axis: this is the sum of the array and of zeros.
    """
    first = lax.broadcasted_iota(jnp.uint8, (2, *x.shape), 0) == 0
    copies = jnp.where(first, x[None], jnp.zeros((), x.dtype))
    return lax.reduce(copies, np.zeros((), x.dtype), lax.add, (0,))
