"""Ours: the compiled loop that `depthjax.invert` runs, blur, best iterates and records included."""

import time

import jax
import jax.numpy as jnp
import numpy as np

import depthjax
from depthjax.inversion.loop import descend
from depthjax.inversion.problem import Data, numbers_of
from depthjax.inversion.reference import ReferenceNoise, checked_reference
from depthjax.inversion.state import initial_state

from ..job import Job
from .problem import Problem

ENDLESS = 10**6
"""Steps of the schedule: no turn reaches its end, where a step only evaluates."""


class Loop(Problem):
    """The descent of the job's preset; distances to the photographs are recorded as usual."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self.config = self.config.replace(steps=ENDLESS)
        numbers = numbers_of(self.config, self.start.dtype)
        scale = jnp.ones(len(self.start), self.start.dtype)
        self._data = Data(self.target, self.images, scale, numbers)

    def steps(self, count: int) -> float:
        """Seconds for so many steps from the start."""
        # A copy: the state is donated.
        state = initial_state(self.config.structure, jnp.array(self.start))
        made = 0
        jax.block_until_ready(state)
        began = time.perf_counter()
        while made < count:
            state, *_, running = descend(None, self.start.dtype)(
                self.prepared, self.config.structure, self.weights, self._data, state,
                jnp.asarray(count),
            )  # fmt: skip
            made = int(state.step.max())
            if made < count and not running:
                raise ArithmeticError(f"the descent stopped after {made} of {count} steps")
        jax.block_until_ready(state.images)
        return time.perf_counter() - began

    def residuals(self, count: int) -> list[float]:
        """‖O(a_g) − O(a)‖ of each photograph after a descent of so many steps."""
        config = self.config.replace(steps=count)
        found = depthjax.invert(self.prepared, self.weights, self.target, self.start, config)
        return np.asarray(found.trajectory.embedding_distance[-1], float).tolist()

    def reference(self) -> list[float]:
        """m_r of each photograph."""
        noise = ReferenceNoise(jax.random.key(2))
        reference = checked_reference(self.layer, self.variables, self.images, noise)
        return np.asarray(reference.embedding_distance, float).tolist()


build = Loop
