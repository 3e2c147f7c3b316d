"""The image and the kernel of a job that is one convolution: the same for whoever computes it."""

import numpy as np

from ..job import Job


def drawn(job: Job) -> tuple[np.ndarray, np.ndarray]:
    """`[B, H, W, I]` and `[kernel, kernel, I / groups, O]`, float32."""
    rng = np.random.default_rng(0)
    kernel, inputs, outputs, groups = (
        job.fields[name] for name in ("kernel", "inputs", "outputs", "groups")
    )
    images = rng.standard_normal((job.batch, job.size, job.size, inputs), np.float32)
    kernels = rng.standard_normal((kernel, kernel, inputs // groups, outputs), np.float32)
    return images, kernels / np.float32(kernel * np.sqrt(inputs / groups))
