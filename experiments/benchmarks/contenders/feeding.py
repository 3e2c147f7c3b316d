"""The input pipeline: batches of a data set, shuffled, on the device and augmented."""

import time
from typing import Any

import jax

from depthjax.data import augment, batches, open_dataset

from ..job import Job
from .memory import peak_of_process

DATASET = "photo_crops/{size}"


class Feeding:
    """Training batches of the crops of the embedded photographs."""

    def __init__(self, job: Job) -> None:
        self.dataset = open_dataset(DATASET.format(size=job.size), split="train")
        self._batches = batches(self.dataset, job.batch)

    def steps(self, count: int) -> float:
        """Seconds until so many batches more have been read and augmented."""
        began = time.perf_counter()
        for index in range(count):
            images, _, _ = next(self._batches)
            key = jax.random.fold_in(jax.random.key(0), index)
            jax.block_until_ready(augment(key, images, self.dataset.augmentation))
        return time.perf_counter() - began

    def about(self) -> dict[str, Any]:
        """The data set."""
        return {"dataset": self.dataset.name}

    def distance(self) -> float:
        """Nothing is embedded here."""
        return 0.0

    def memory(self) -> int:
        """Peak of the process."""
        return peak_of_process()


build = Feeding
