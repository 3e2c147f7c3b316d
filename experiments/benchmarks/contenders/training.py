"""A training step of a small network, which the input pipeline must keep busy."""

import time
from typing import Any

import jax
import jax.numpy as jnp
import optax

import depthjax
from depthjax.typing import Images, Scalar, Variables

from ..job import Job
from .memory import peak_of_process


class Training:
    """Cross-entropy, gradient and SGD with momentum on one batch over and over."""

    def __init__(self, job: Job) -> None:
        model = depthjax.build_model(job.model, **job.fields)
        self._variables = depthjax.init_variables(model, jax.random.key(0), job.size)
        self._images = jax.random.uniform(jax.random.key(1), (job.batch, job.size, job.size, 3))
        labels = jnp.arange(job.batch) % model.num_classes
        method = optax.sgd(0.1, momentum=0.9)
        self._state = method.init(self._variables["params"])

        def loss(params: Any, statistics: Any, images: Images) -> tuple[Scalar, Any]:
            variables = {"params": params, "batch_stats": statistics}
            (logits, _), moved = model.apply(variables, images, train=True, mutable=["batch_stats"])
            losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
            return losses.mean(), moved["batch_stats"]

        @jax.jit
        def step(variables: Variables, state: Any, images: Images) -> tuple[Variables, Any]:
            (_, statistics), gradient = jax.value_and_grad(loss, has_aux=True)(
                variables["params"], variables["batch_stats"], images
            )
            change, state = method.update(gradient, state)
            params = optax.apply_updates(variables["params"], change)
            return {"params": params, "batch_stats": statistics}, state

        self._step = step

    def steps(self, count: int) -> float:
        """Seconds for so many steps."""
        began = time.perf_counter()
        for _ in range(count):
            self._variables, self._state = self._step(self._variables, self._state, self._images)
        jax.block_until_ready(self._variables)
        return time.perf_counter() - began

    def about(self) -> dict[str, Any]:
        """Parameters of the network."""
        return {"parameters": sum(leaf.size for leaf in jax.tree.leaves(self._variables))}

    def distance(self) -> float:
        """Nothing is embedded here."""
        return 0.0

    def memory(self) -> int:
        """Peak of the process."""
        return peak_of_process()


build = Training
