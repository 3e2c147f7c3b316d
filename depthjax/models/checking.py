"""Whether a function of one's own keeps the contract of a layer, with advice where it does not."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from numpy.typing import ArrayLike

from depthjax.devices.precision import matmul_precision
from depthjax.errors import name_of_layer
from depthjax.models.embeddings import check_variables, embedding_problem
from depthjax.models.verification import beyond_rounding, coarsest_epsilon
from depthjax.ops.programs import primitives_of
from depthjax.ops.rewriting import rewrite
from depthjax.typing import LayerFn, Variables

_AT_ONCE = 3
"""Images that are looked at; more would show nothing else."""


class Check(NamedTuple):
    """One part of the contract.

    Fields:
        name: one of "output", "determinism", "tracing", "purity", "independence", "gradient".
        problem: what is wrong and what to do, in one line; "" if nothing is.
    """

    name: str
    problem: str = ""


class LayerReport(NamedTuple):
    """What `check_layer` found; `print` it.

    Fields:
        layer: its name.
        embedding: `[B, …]` and dtype, in words.
        checks: in order; after one that fails, those that cannot be made without it are left out.
        notes: what is allowed and worth knowing, such as how the layer will be run.
    """

    layer: str
    embedding: str
    checks: tuple[Check, ...]
    notes: tuple[str, ...] = ()

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.problem)

    def __str__(self) -> str:
        lines = [f"{self.layer} {self.embedding}".strip()]
        lines += [f"  {check.name}: {check.problem or 'ok'}" for check in self.checks]
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])


def check_layer(
    layer: LayerFn, variables: Variables, images: ArrayLike, *, refuse: bool = True
) -> LayerReport:
    """Checks that a function of one's own is a layer that the library can work with.

    It has to be a pure, traceable and deterministic function `(variables, images) -> embedding`,
    in evaluation mode, that treats each image by itself and has a finite gradient. The first three
    images are looked at; nothing of this is checked when the layer is used.

    Args:
        layer: the function.
        variables: its weights, any pytree of arrays.
        images: two or more different images `[B, H, W, C]`, floats as the layer will see them.
        refuse: whether to raise an error if a check fails.

    Returns:
        A report, which `print` shows line by line.

    Raises:
        ValueError: for images of another form, for variables that are no arrays, and if a check
            fails: all failures, with advice.
    """
    x = jnp.asarray(images)
    if x.ndim != 4 or len(x) < 2 or not jnp.issubdtype(x.dtype, jnp.floating):
        raise ValueError(
            f"check_layer takes two or more float images [batch, height, width, channels], got"
            f" {x.dtype} {x.shape}"
        )
    check_variables(variables)
    name = name_of_layer(layer)
    with matmul_precision():
        trial = _Trial(layer, variables, x[:_AT_ONCE])
        checks = []
        for check in _checks(trial):
            checks.append(check)
            if check.problem and check.name in ("output", "tracing"):
                break
        notes = () if any(check.problem for check in checks) else tuple(_notes(trial))
    embedding = "" if trial.output is None else f"gives {trial.output.dtype} {trial.output.shape}"
    report = LayerReport(name, embedding, tuple(checks), notes)
    if report.failures and refuse:
        listed = "; ".join(f"{check.name}: {check.problem}" for check in report.failures)
        raise ValueError(f"{name} is no layer yet. {listed}")
    return report


class _Trial:
    """A layer with its arguments, and the output of its first call."""

    def __init__(self, layer: LayerFn, variables: Variables, images: Array) -> None:
        self.layer, self.variables, self.images = layer, variables, images
        self.output: Any = None
        self.compiled = jax.jit(lambda variables, images: layer(variables, images))

    def call(self, images: Array | None = None) -> Any:
        """The layer itself, not compiled."""
        return self.layer(self.variables, self.images if images is None else images)

    def difference(self, found: Any, *, of: int | None = None) -> str:
        """How far an output is from the first one, or from that of one image; "" if by rounding."""
        expected = np.asarray(self.output if of is None else self.output[of : of + 1], np.float64)
        given = np.asarray(found, np.float64)
        if expected.shape != given.shape:
            return f"of shape {given.shape} in place of {expected.shape}"
        epsilon = coarsest_epsilon(self.variables, self.images, self.output)
        step = epsilon * jnp.abs(self.images).max()
        part = self.images if of is None else self.images[of : of + 1]

        def nudged() -> np.ndarray:
            here, there = (self.compiled(self.variables, x) for x in (part, part + step))
            return expected + np.asarray(there, np.float64) - np.asarray(here, np.float64)

        distance, allowed = beyond_rounding(expected, given, epsilon, nudged)
        return "" if distance <= allowed else f"{distance:.1g} apart (relative)"


def _checks(trial: _Trial) -> Iterator[Check]:
    for name, check in _CHECKS.items():
        yield Check(name, check(trial))


def _output(trial: _Trial) -> str:
    try:
        hash(trial.layer)
    except TypeError:
        return (
            "it does not hash, as jit's static arguments must; give a function, or a frozen class"
        )
    try:
        output = trial.call()
    except Exception as error:
        return (
            f"layer(variables, images) raised {_short(error)}; it takes the weights and images"
            f" {trial.images.shape}, channels last (jnp.moveaxis for a network of channels first)"
        )
    if problem := embedding_problem(output, len(trial.images)):
        return problem
    trial.output = output
    if not bool(jnp.isfinite(output).all()):
        return "the output holds NaN or infinite numbers; look at the weights and the pixels"
    return ""


def _tracing(trial: _Trial) -> str:
    try:
        found = trial.compiled(trial.variables, trial.images)
        different = trial.difference(found)
    except _CONTROL_FLOW as error:
        return (
            f"jax.jit cannot trace it ({type(error).__name__}): Python's if, for, int() or NumPy on"
            " values of arrays; use jnp.where, lax.cond and jax.numpy, or shapes alone"
        )
    except Exception as error:
        return (
            f"jax.jit raised {_short(error)}; keep state out of the function: nnx.split and"
            " nnx.merge, eqx.partition and eqx.combine"
        )
    if different:
        return f"jit(layer) and layer are {different}: it depends on more than its arguments"
    return ""


_CONTROL_FLOW = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
    jax.errors.NonConcreteBooleanIndexError,
)


def _purity(trial: _Trial) -> str:
    before = [id(leaf) for leaf in jax.tree.leaves(trial.variables)]
    try:
        trial.call()
    except jax.errors.UnexpectedTracerError:
        return "it keeps a value of one call for the next; return everything, and assign nothing"
    if [id(leaf) for leaf in jax.tree.leaves(trial.variables)] != before:
        return f"it changes its variables, as BatchNorm does in training; {_EVALUATION}"
    return ""


def _determinism(trial: _Trial) -> str:
    first, second = (np.asarray(each, np.float64) for each in (trial.output, trial.call()))
    epsilon = coarsest_epsilon(trial.output)
    distance, allowed = beyond_rounding(first, second, epsilon, lambda: first)
    if distance <= allowed:
        return ""
    return (
        f"two calls are {distance:.1g} apart (relative); {_EVALUATION}, and no random numbers but"
        " of a fixed key"
    )


_EVALUATION = (
    "evaluation mode: no dropout, BatchNorm with its running statistics (use_running_average=True,"
    " model.eval(), eqx.nn.inference_mode)"
)


def _independence(trial: _Trial) -> str:
    for index in range(len(trial.images)):
        try:
            alone = trial.compiled(trial.variables, trial.images[index : index + 1])
        except Exception as error:
            return f"one image alone raised {_short(error)}; take batches of any size"
        different = trial.difference(alone, of=index)
        if different:
            return (
                f"an image alone and among others gives embeddings {different}; {_EVALUATION}, and"
                " nothing that mixes the batch axis"
            )
    return ""


def _gradient(trial: _Trial) -> str:
    direction = jax.random.normal(jax.random.key(0), trial.output.shape, trial.output.dtype)

    def along(images: Array) -> Array:
        return jnp.vdot(trial.compiled(trial.variables, images), direction)

    try:
        gradient = np.asarray(jax.grad(along)(trial.images))
    except Exception as error:
        return (
            f"jax.grad raised {_short(error)}; every operation needs a derivative in reverse mode"
        )
    if not np.isfinite(gradient).all():
        return "the gradient is not finite; beware of sqrt, norm and log at 0 (add a small number)"
    dead = [index for index, each in enumerate(gradient) if not each.any()]
    if dead:
        return (
            f"the gradient of image {dead[0]} is 0 everywhere, so no descent can move it; look for"
            " stop_gradient, argmax, rounding, integers, or units that are all closed"
        )
    return ""


_CHECKS: dict[str, Callable[[_Trial], str]] = {
    "output": _output,
    "determinism": _determinism,
    "tracing": _tracing,
    "purity": _purity,
    "independence": _independence,
    "gradient": _gradient,
}


def _notes(trial: _Trial) -> Iterator[str]:
    program = jax.make_jaxpr(trial.layer)(trial.variables, trial.images)
    held = sum(np.size(each) for each in program.consts)
    if held > trial.images[0].size:
        yield (
            f"{held} numbers are closed over: later changes to them are not seen; pass weights as"
            " variables"
        )
    if any(name.startswith("custom_vjp") for name in primitives_of(program)):
        yield "its jax.custom_vjp goes back alone: descents can use it, Jacobians cannot"
    if hasattr(trial.layer, "prepare"):
        yield "a descent uses the fast form of this layer (prepare)"
        return
    made = rewrite(trial.layer, trial.variables, trial.images)
    left = [f"{count} {why}" for why, count in made.left.items()]
    if jax.default_backend() == "cpu" and (made.replaced or left):
        rest = f"; that it leaves, which is slow: {', '.join(left)}" if left else ""
        words = "convolutions and max poolings that a descent replaces by faster ones"
        yield f"{words}: {made.replaced}{rest}"


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:150]}"
