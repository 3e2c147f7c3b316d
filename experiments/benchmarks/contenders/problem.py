"""A job as JAX arrays and a prepared layer: what our own contenders share."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import monitoring

import depthjax
from depthjax.devices.precision import matmul_precision
from depthjax.weights import from_torch_state_dict

from ..job import Job
from .memory import peak_of_process


class Problem:
    """The network, the photographs and the start, on the device."""

    def __init__(self, job: Job) -> None:
        self._compiling: list[float] = []
        monitoring.register_event_duration_secs_listener(self._listen)
        self.job = job
        self.config = depthjax.InversionConfig.from_word(job.preset)
        if job.model == job.peer:  # PyTorch's own; this declares what its torchvision may lack
            from . import torch_network  # noqa: F401
        model = depthjax.build_model(job.model, **job.fields)
        self.layer = depthjax.Layer(model, job.node, job.normalization)
        self.variables = from_torch_state_dict(job.weights(), model, job.size)
        images, start = job.images()
        self.images, self.start = jnp.asarray(images), jnp.asarray(start)
        self.prepared, self.weights = self.layer.prepare(self.variables)
        with matmul_precision():
            self.target = self.layer(self.variables, self.images)

    def _listen(self, event: str, seconds: float, **_: Any) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            self._compiling.append(seconds)

    def compile_seconds(self) -> float:
        """Seconds that XLA took for all programs so far, or fetching them from a cache took."""
        return sum(self._compiling)

    def distance(self) -> float:
        """Σ|O(start) − O(a)|."""
        with matmul_precision():
            embedding = jax.jit(self.prepared)(self.weights, self.start)
        return float(jnp.abs(embedding - self.target).sum())

    def memory(self) -> int:
        """The peak of the device's memory; where it has none of its own, of the process."""
        statistics = jax.devices()[0].memory_stats()
        return statistics["peak_bytes_in_use"] if statistics else peak_of_process()

    def about(self) -> dict[str, Any]:
        """Versions and device."""
        device = jax.devices()[0]
        return {
            "device": f"{device.platform}: {device.device_kind}",
            "versions": {"jax": jax.__version__},
        }
