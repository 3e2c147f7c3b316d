"""The largest eigenvalues of JᵀJ by `depthjax.jacobian`: blocks of four, linearised once."""

import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from depthjax.compat import enable_x64
from depthjax.jacobian import LinearizedLayer, TopSingular, linearize, top_singular_values

from ..job import Job
from . import PAIRS_A_STEP
from .problem import Problem

ENOUGH = 600
"""Pairs after which a spectrum that has not converged is no truth."""


class Spectrum(Problem):
    """The Jacobian of the layer at the job's only photograph."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._maps = linearize(self.layer, self.variables, self.images)

    def steps(self, count: int) -> float:
        """Seconds for so many steps, orthogonalisation and the spectrum at their end included."""
        most = PAIRS_A_STEP * count + 1  # room for the one value that is asked for
        began = time.perf_counter()
        found = self._found(self._maps, 1, most, tolerance=0.0)
        seconds = time.perf_counter() - began
        if found.products != PAIRS_A_STEP * count:
            raise ArithmeticError(
                f"{found.products} pairs were made instead of {PAIRS_A_STEP * count}"
            )
        return seconds

    def top(self, k: int, pairs: int, seed: int) -> list[float]:
        """The k largest eigenvalues after so many pairs."""
        found = self._found(self._maps, k, pairs, tolerance=0.0, seed=seed)
        return np.square(found.values[0]).tolist()

    def truth(self, k: int) -> list[float]:
        """The k largest eigenvalues in float64, converged."""
        with enable_x64(True):
            found = self._found(self._exact(), k, ENOUGH, tolerance=1e-9)
        if not found.converged.all():
            raise ArithmeticError(f"{k} singular values have not converged in {ENOUGH} pairs")
        return np.square(found.values[0]).tolist()

    def _found(self, maps: LinearizedLayer, k: int, most: int, **settings: Any) -> TopSingular:
        return top_singular_values(maps, k, block=PAIRS_A_STEP, most=most, **settings)

    def _exact(self) -> LinearizedLayer:
        def widened(leaf: jax.Array) -> jax.Array:
            return jnp.asarray(np.asarray(leaf, np.float64))

        variables = jax.tree.map(widened, self.variables)
        return linearize(self.layer, variables, np.asarray(self.images, np.float64))


build = Spectrum
