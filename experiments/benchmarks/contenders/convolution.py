"""One convolution and its transpose in the form that a prepared layer gives it."""

import dataclasses
import time
from typing import Any

import jax
import jax.numpy as jnp

from depthjax.devices.precision import compiler_options, matmul_precision
from depthjax.ops.conv import Geometry, choose_form

from ..job import Job
from .drawn_convolution import drawn
from .memory import peak_of_process


class Convolution:
    """A step is `transpose(forward(x))`; a turn is a loop in one program, as a descent is."""

    def __init__(self, job: Job) -> None:
        self.job, fields = job, job.fields
        images, kernel = map(jnp.asarray, drawn(job))
        strides, pads = (fields["stride"],) * 2, (fields["padding"],) * 2
        geometry = Geometry(strides, (pads, pads), groups=fields["groups"])
        form = choose_form(kernel.shape[:2], geometry, fields["inputs"])
        form = dataclasses.replace(form, height=job.size, width=job.size)
        self._images, self._parameters = images, jax.jit(form.prepare)(kernel)

        def forward(parameters: Any, x: jax.Array) -> jax.Array:
            with matmul_precision():
                return form.forward(parameters, x)

        def repeated(parameters: Any, x: jax.Array, count: jax.Array) -> jax.Array:
            def step(_: Any, last: jax.Array) -> jax.Array:
                # Of the last step hardly anything, but no step can be left out.
                read = x + 1e-30 * last
                with matmul_precision():
                    return form.transpose(parameters, forward(parameters, read))

            return jax.lax.fori_loop(0, count, step, x)

        options = compiler_options(self._images.dtype)
        self._forward = jax.jit(forward, compiler_options=options)
        self._repeated = jax.jit(repeated, compiler_options=options)

    def steps(self, count: int) -> float:
        """Seconds for so many."""
        began = time.perf_counter()
        jax.block_until_ready(self._repeated(self._parameters, self._images, count))
        return time.perf_counter() - began

    def distance(self) -> float:
        """Σ|y| of the convolution alone."""
        return float(jnp.abs(self._forward(self._parameters, self._images)).sum())

    def memory(self) -> int:
        """The peak of the process."""
        return peak_of_process()

    def about(self) -> dict[str, Any]:
        """Versions and device."""
        device = jax.devices()[0]
        return {
            "device": f"{device.platform}: {device.device_kind}",
            "versions": {"jax": jax.__version__},
        }


build = Convolution
