"""The rate of a descent from its first step to its last."""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from depthjax.errors import require
from depthjax.typing import Scalar

SCHEDULES = ("constant", "linear", "cosine", "stairs")


def scheduled_rate(
    schedule: str,
    step: Int[Array | np.ndarray, "*steps"],
    steps: Int[Array, ""] | int,
    first: Scalar,
    last: Scalar,
    stairs: Float[Array | np.ndarray, " stretches"],
) -> Float[Array | np.ndarray, "*steps"]:
    """λ_n of step n of N.

    Args:
        schedule: one of `SCHEDULES`.
        step: n, any number of them.
        steps: N.
        first, last: λ at 0 and at N; stairs and a constant rate know the first alone.
        stairs: factors of it, in stretches of equal length.
    """
    xp: Any = jnp if isinstance(step, jax.Array) else np
    dtype = xp.result_type(first)
    fraction = step.astype(dtype) / xp.asarray(steps, dtype)
    if schedule == "constant":
        return first + 0 * fraction
    if schedule == "linear":
        return first + (last - first) * fraction
    if schedule == "stairs":
        # In whole numbers: a stretch begins at its step, however fractions are rounded.
        return first * stairs[xp.minimum(step * len(stairs) // steps, len(stairs) - 1)]
    return last + (first - last) * 0.5 * (1 + xp.cos(xp.pi * fraction))


def checked_stairs(given: str | Sequence[Any], schedule: str) -> tuple[float, ...]:
    """The factors of a schedule of stairs; none for another schedule.

    Args:
        given: numbers, or text such as "1,0.1,0.01".
        schedule: that they are for.

    Raises:
        ValueError: for what is no number from 0, and stairs without a factor.
    """
    parts = given.split(",") if isinstance(given, str) else given
    try:
        factors = tuple(float(part) for part in parts if part != "")
    except (TypeError, ValueError):
        factors = (math.nan,)
    fits = all(math.isfinite(factor) and factor >= 0 for factor in factors)
    require(fits, "stairs", given, "finite numbers from 0, such as 1,0.1,0.01")
    if schedule == "stairs":
        require(len(factors) > 0, "stairs", given, "factors of the rate, such as 1,0.1,0.01")
    return factors
