"""The least that a step can be: loss and gradient at the same prepared layer, and nothing else."""

import time
from typing import Any

import jax
import jax.numpy as jnp

from depthjax.devices.precision import compiler_options, matmul_precision
from depthjax.inversion.objectives import distance_to
from depthjax.inversion.problem import numbers_of
from depthjax.typing import Images, LayerFn, Scalar, Variables

from ..job import Job
from .problem import Problem


class Bare(Problem):
    """`value_and_grad` of the summed objective, as often as there are steps."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        options = compiler_options(self.start.dtype)
        self._gradient = jax.jit(self._of(self.prepared), compiler_options=options)

    def _of(self, layer: LayerFn) -> Any:
        """Its second argument is the image."""
        weights = numbers_of(self.config, self.start.dtype)["objective"]
        distance = distance_to(self.target, self.config.structure.objective, weights)

        def objective(variables: Variables, images: Images) -> Scalar:
            with matmul_precision(self.config.precision):
                embedding = layer(variables, images)
            return distance(embedding).sum()

        return jax.value_and_grad(objective, argnums=1)

    def steps(self, count: int) -> float:
        """Seconds for so many gradients at the start."""
        began = time.perf_counter()
        for _ in range(count):
            # One after the other, as the steps of a descent are.
            jax.block_until_ready(self._gradient(self.weights, self.start))
        return time.perf_counter() - began

    def flops(self) -> float:
        """Operations of one gradient of the plain network, by XLA's count of what it is given.

        Plain, and before any optimisation: ways of computing the same with fewer operations
        must not lower the count that they are compared by.
        """
        program = jax.jit(self._of(self.layer)).lower(self.variables, self.start)
        return float(program.cost_analysis()["flops"])

    def product_flops(self) -> float:
        """Operations per second of a large product of float32 matrices on this device."""
        size = 2048
        matrix = jnp.ones((size, size), jnp.float32)
        with matmul_precision():
            product = jax.jit(jnp.matmul).lower(matrix, matrix).compile()
        seconds = []
        for _ in range(8):
            began = time.perf_counter()
            jax.block_until_ready(product(matrix, matrix))
            seconds.append(time.perf_counter() - began)
        return 2 * size**3 / min(seconds)


build = Bare
