"""A training step of a small network, which the input pipeline must keep busy."""

import time
from typing import Any

import jax
import numpy as np

import depthjax
from depthjax.data.dataset import Dataset, in_memory
from depthjax.training import TrainingConfig, fit, init_state

from ..job import Job
from .memory import peak_of_process


class Training:
    """`depthjax.training.fit` on one batch over and over."""

    def __init__(self, job: Job) -> None:
        model = depthjax.build_model(job.model, **job.fields)
        shape = (job.size, job.size, 3)
        images = np.random.default_rng(1).integers(0, 256, (job.batch, *shape), np.uint8)
        labels = (np.arange(job.batch) % model.num_classes).astype(np.int32)
        classes = tuple(map(str, range(model.num_classes)))
        batch = Dataset("a batch", "train", classes, shape, job.batch, in_memory(images, labels))
        variables = depthjax.init_variables(model, jax.random.key(0), job.size)
        config = TrainingConfig(epochs=1_000_000, batch_size=job.batch)
        self._parameters = sum(leaf.size for leaf in jax.tree.leaves(variables))
        self._steps = fit(model, init_state(model, variables, config), batch, config)

    def steps(self, count: int) -> float:
        """Seconds for so many steps."""
        began = time.perf_counter()
        for _ in range(count):
            progress = next(self._steps)
        jax.block_until_ready(progress.state)
        return time.perf_counter() - began

    def about(self) -> dict[str, Any]:
        """Parameters of the network."""
        return {"parameters": self._parameters}

    def distance(self) -> float:
        """Nothing is embedded here."""
        return 0.0

    def memory(self) -> int:
        """Peak of the process."""
        return peak_of_process()


build = Training
