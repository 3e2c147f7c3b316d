"""A whole descent by `depthjax.invert`, compiled before the clock starts."""

import time
from typing import Any

import jax
import numpy as np

import depthjax
from depthjax.inversion.reference import ReferenceNoise, checked_reference

from ..job import Job
from .problem import Problem

RECORD_EVERY = 2


class Descent(Problem):
    """The job's preset from its first step to its last."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        steps = min(filter(None, (job.steps, self.config.steps)))
        self.config = self.config.replace(steps=steps, record_every=RECORD_EVERY)
        # By the preset's own rule, as the descent would draw it.
        self._init = depthjax.initial_images(jax.random.key(1), self.images.shape, self.config)
        noise = ReferenceNoise(jax.random.key(2))
        reference = checked_reference(self.layer, self.variables, self.images, noise)
        self._scale = np.asarray(reference.embedding_distance)

    def descend(self) -> dict[str, Any]:
        """Records of ρ `[records][photographs]`, their steps, and the seconds of the descent."""
        self._invert(self.config.replace(steps=1))
        began = time.perf_counter()
        found = self._invert(self.config)
        seconds = time.perf_counter() - began
        ratio = np.asarray(found.trajectory.embedding_distance) / self._scale
        return {
            "step": np.asarray(found.trajectory.step).tolist(),
            # JSON has no NaN; an example that overflowed is not near.
            "ratio": [[x if np.isfinite(x) else None for x in row] for row in ratio.tolist()],
            "seconds": seconds,
            "steps": int(np.max(found.stopped_step)),
        }

    def _invert(self, config: depthjax.InversionConfig) -> depthjax.Inversion:
        # The layer as it is: `invert` prepares it as the preset asks.
        found = depthjax.invert(self.layer, self.variables, self.target, self._init, config)
        return jax.block_until_ready(found)


build = Descent
