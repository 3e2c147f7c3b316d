"""What JAX has called by several names: the one place that knows of its versions."""

import importlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import jax

# JAX 0.8 moved it.
_place: Any = jax if hasattr(jax, "enable_x64") else importlib.import_module("jax.experimental")

enable_x64: Callable[[bool], AbstractContextManager[None]] = _place.enable_x64
"""`with enable_x64(True):` computes in float64, as `jax.enable_x64` does where JAX has it."""


def precision_of_products() -> str | None:
    """What `jax.default_matmul_precision` sets here; None for the backend's own."""
    return getattr(jax.config, "jax_default_matmul_precision")  # noqa: B009 (types do not know it)
