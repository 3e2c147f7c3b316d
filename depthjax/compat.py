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
