"""A layer with its weights frozen: rewritten once so that every step of a descent is fast.

BatchNorm is folded into the convolution before it, and every convolution takes the form that is
fastest on the backend, its kernel rearranged for both directions. Values and derivatives with
respect to the images are those of the layer; weights are constants.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from depthjax.compat import precision_of_products
from depthjax.devices.spreading import delayed, gathered, zero_after
from depthjax.models.network import INPUT, Network, Node, needed_nodes, needed_variables
from depthjax.models.normalization import Normalization
from depthjax.models.operations.description import describe
from depthjax.typing import Embedding, Inputs, Variables

Weights = dict[str, Any]
"""What `Description.freeze` made of each step's variables."""


@dataclass(frozen=True)
class PreparedLayer:
    """`layer(weights, images)` with the weights that `prepare` returned beside it."""

    model: Network
    node: str
    normalization: Normalization | None = None
    rematerialize: bool = False
    start: str = INPUT

    def __call__(self, weights: Weights, images: Inputs) -> Embedding:
        """Images `[B, H, W, C]`, or the activation at `start`, to their embedding `[B, …]`."""
        # Not folded into the first convolution: the zeros that it pads with are not normalised.
        normalize = self.normalization or (lambda pixels: pixels)
        if self.start == INPUT:
            self.model.check_images(images)
        values: Values = {self.start: normalize(images)}
        fixed, steps = _fixed_first(plan(self.model, self.node, self.start), self.start)
        # Computed again for the gradient, where a context that is set here may have ended.
        precision = precision_of_products()
        run_all = partial(_run_steps, precision=precision)
        held = weights, run_all(fixed, None, (weights, {}), {})
        # Of n steps only the √n borders between √n segments are kept for the gradient.
        length = max(1, math.isqrt(len(steps)) if self.rematerialize else len(steps))
        for first in range(0, len(steps), length):
            segment, later = steps[first : first + length], steps[first + length :]
            wanted = {self.node}.union(*(step.inputs for step in later))
            run = partial(run_all, segment, frozenset(wanted))
            values = _forgetful(run, held, values) if self.rematerialize else run(held, values)
        return (held[1] | values)[self.node]

    @property
    def pushable(self) -> "PreparedLayer":
        """The same function where it is to be pushed forward, which keeps no activations anyway."""
        return replace(self, rematerialize=False)


Values = dict[str, Array]
Held = tuple[Weights, Values]
"""Weights, and the values that do not depend on the images."""
Run = Callable[[Held, Values], Values]


def _fixed_first(
    steps: tuple["Step", ...], start: str
) -> tuple[tuple["Step", ...], tuple["Step", ...]]:
    """The steps whose values do not depend on the images, and the others."""
    moving = {start}
    for step in steps:
        if not moving.isdisjoint(step.inputs):
            moving.add(step.name)
    return (
        tuple(step for step in steps if step.name not in moving),
        tuple(step for step in steps if step.name in moving),
    )


def _run_steps(
    steps: tuple["Step", ...],
    wanted: frozenset[str] | None,
    held: Held,
    values: Values,
    *,
    precision: str | None,
) -> Values:
    """Some steps: from all values known before to those that are wanted afterwards, or to all."""
    weights, fixed = held
    with jax.default_matmul_precision(precision):
        for step in steps:
            inputs = [(fixed | values)[name] for name in step.inputs]
            own = gathered(delayed(weights.get(step.name, {}), inputs))
            values = values | {step.name: describe(step.operation).run(own, *inputs)}
    return {name: value for name, value in values.items() if wanted is None or name in wanted}


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _forgetful(run: Run, held: Held, values: Values) -> Values:
    """`run`, of which only the inputs are kept for the gradient with respect to `values`.

    It cannot be pushed forward (`jvp`, `linearize`): a layer's `pushable` can.

    `jax.checkpoint` does the same with barriers, but XLA's CPU backend removes those and then finds
    that the activations are there already. It cannot see through inputs that wait for a cotangent.
    """
    return run(held, values)


def _forgetful_forward(run: Run, held: Held, values: Values) -> tuple[Values, tuple[Held, Values]]:
    return run(held, values), (held, values)


def _forgetful_backward(
    run: Run, kept: tuple[Held, Values], cotangents: Values
) -> tuple[Held, Values]:
    held, values = kept
    zero = zero_after(cotangents)
    late = {
        name: value + zero.astype(value.dtype)
        if jnp.issubdtype(value.dtype, jnp.inexact)
        else value
        for name, value in values.items()
    }
    _, pullback = jax.vjp(partial(run, delayed(held, cotangents)), late)
    return jax.tree.map(jnp.zeros_like, held), *pullback(cotangents)


_forgetful.defvjp(_forgetful_forward, _forgetful_backward)


def prepare(
    model: Network,
    node: str,
    variables: Variables,
    normalization: Normalization | None = None,
    rematerialize: bool = False,
    start: str = INPUT,
) -> tuple[PreparedLayer, Weights]:
    """The fast form of a layer, and the weights it takes.

    Args:
        model: a model of `depthjax.models`.
        node: the name of one of its operations.
        variables: its variables.
        normalization: what is done to the pixels before it.
        rematerialize: keep few activations for the gradient, and compute the others again.
        start: begin after this operation, with its activation in place of images.
    """
    held = needed_variables(model, node, variables, start)
    layer = PreparedLayer(model, node, normalization, rematerialize, start)
    return layer, _prepare_weights(model, node, start, held)


class Step(NamedTuple):
    """A node of the graph, or one with the affine map after it under the latter's name.

    Fields:
        name: of the node whose value it is.
        operation, inputs: of the first node.
        source: the name of the first node, whose weights it has.
        norm: the node whose affine map is taken into these weights, if there is one.
    """

    name: str
    operation: Any
    inputs: tuple[str, ...]
    source: str
    norm: Node | None = None


@cache
def plan(model: Network, node: str, start: str = INPUT) -> tuple[Step, ...]:
    """The operations from `start` (left out) up to `node`, each convolution merged with a
    BatchNorm that alone reads it.
    """
    nodes = needed_nodes(model, node, start)
    readers: dict[str, list[Node]] = {}
    for reader in nodes:
        for name in reader.inputs:
            readers.setdefault(name, []).append(reader)
    steps: list[Step] = []
    merged = set()
    for current in nodes:
        if current.name in merged:
            continue
        norm = None
        if describe(current.operation).absorbs and len(readers.get(current.name, [])) == 1:
            (after,) = readers[current.name]
            norm = after if describe(after.operation).is_affine else None
        if norm is not None:
            merged.add(norm.name)
        last = norm or current
        read_by = [reader.operation for reader in readers.get(last.name, [])]
        operation = describe(current.operation).read_by(read_by)
        steps.append(Step(last.name, operation, current.inputs, current.name, norm))
    return tuple(steps)


def rewrites_anything(model: Network, node: str, start: str = INPUT) -> bool:
    """Whether the prepared layer computes any operation in another way than the model does."""
    return any(describe(n.operation).is_rewritten for n in needed_nodes(model, node, start))


def _prepare_weights(model: Network, node: str, start: str, variables: Variables) -> Weights:
    """What `freeze` makes of each step's variables, on the device where those are.

    Of arrays in the host's memory by NumPy: XLA would compile a program of hundreds of
    rearrangements, 2.5 s and 140 MB for a ResNet-50, that runs once.
    """
    devices = {_host_of(leaf) for leaf in jax.tree.leaves(variables)}
    if len(devices) != 1 or devices == {None}:
        return _frozen_by_jax(model, node, start, variables)
    views = jax.tree.map(np.asarray, variables)
    given = dict(zip(map(id, jax.tree.leaves(views)), jax.tree.leaves(variables), strict=True))
    with jax.default_device(*devices):

        def placed(array: Any) -> Array:  # what is as it was needs no copy
            return jax.device_put(given.get(id(array), array))

        frozen = _frozen(model, node, start, views)
        return {name: jax.tree.map(placed, weights) for name, weights in frozen}


def _host_of(leaf: Any) -> jax.Device | None:
    """The CPU that holds an array of plain numbers; None if another device does, or JAX traces it.

    Other than 32 and 64 bits are left to JAX, whose promotion of dtypes NumPy does not share.
    """
    if leaf.dtype not in (np.float32, np.float64) or isinstance(leaf, jax.core.Tracer):
        return None
    if isinstance(leaf, np.ndarray):
        return jax.devices()[0] if jax.default_backend() == "cpu" else None
    (device, *others) = leaf.devices()
    return None if others or device.platform != "cpu" else device


def _frozen(
    model: Network, node: str, start: str, variables: Variables
) -> Iterator[tuple[str, Any]]:
    def leaves_of(name: str) -> dict[str, Any]:
        return {group: held[name] for group, held in variables.items() if name in held}

    for step in plan(model, node, start):
        after = step.norm and describe(step.norm.operation).affine(leaves_of(step.norm.name))
        frozen = describe(step.operation).freeze(leaves_of(step.source), after)
        if frozen:
            yield step.name, frozen


@partial(jax.jit, static_argnums=(0, 1, 2))
def _frozen_by_jax(model: Network, node: str, start: str, variables: Variables) -> Weights:
    return dict(_frozen(model, node, start, variables))
