"""A plain function of weights and images, its convolutions and max poolings replaced by ours.

Within a compiled loop XLA's CPU backend takes up to ten times as long for a convolution as outside
of it. A network that is data says where its convolutions are; a plain function is traced, and its
program is walked through. Whatever depends on the images and is no convolution or max pooling runs
as it is.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, jaxpr_as_fun

from depthjax.ops.equations import (
    CONVOLUTION,
    MAX_POOLING,
    Convolution,
    MaxPooling,
    convolution_of,
    max_pooling_of,
)
from depthjax.ops.programs import primitives_of, programs_within
from depthjax.typing import Embedding, Images, LayerFn, Variables

_REPLACEABLE = (CONVOLUTION, MAX_POOLING)
_CALLS = ("jit", "pjit", "closed_call", "core_call", "checkpoint", "remat2")
"""Equations that are no more than their program. A custom derivative is more, and stays."""


@dataclass(frozen=True)
class RewrittenLayer:
    """`layer(weights, images)` with the weights that `rewrite` returned beside it.

    Fields:
        function: the plain function.
        convolutions: those that are replaced, in the order of the program.
        shape: of an image that it was rewritten for.
    """

    function: LayerFn
    convolutions: tuple[Convolution, ...]
    shape: tuple[int, ...]

    def __call__(self, weights: dict[str, Any], images: Images) -> Embedding:
        """Images `[B, H, W, C]` to their embedding `[B, …]`."""
        if images.shape[1:] != self.shape:
            return self.function(weights["variables"], images)
        program, out = _traced(self.function, weights["variables"], images)
        kernels = iter(zip(self.convolutions, weights["kernels"], strict=True))
        try:
            values = _walk(
                program, _arguments(weights["variables"], images), partial(_replaced, kernels)
            )
        except _OtherProgram:
            return self.function(weights["variables"], images)
        return jax.tree.unflatten(out, [value.array for value in values])


class Rewriting(NamedTuple):
    """What became of a plain function.

    Fields:
        layer, weights: its fast form, and the weights that it takes.
        replaced: how many convolutions and max poolings are ours.
        left: why others are not, and how many.
    """

    layer: RewrittenLayer
    weights: dict[str, Any]
    replaced: int
    left: dict[str, int]


def rewrite(function: LayerFn, variables: Variables, images: Any) -> Rewriting:
    """A function in which convolutions and max poolings are ours.

    It computes the same numbers up to rounding, and its derivatives with respect to the images;
    weights are constants. It is made for images of one size: of any other, the function runs as
    it is.

    Args:
        function: a pure function `(variables, images [B, H, W, C]) -> embedding [B, …]`.
        variables: its weights, or their shapes.
        images: of the size, or their shape and dtype.
    """
    program, _ = _traced(function, variables, images)
    found = _Found([], [], 0, Counter())
    _walk(program, _arguments(variables, None), found.visit)
    layer = RewrittenLayer(function, tuple(found.convolutions), tuple(images.shape[1:]))
    weights = {"variables": variables, "kernels": tuple(found.kernels)}
    return Rewriting(layer, weights, found.replaced, dict(found.left))


class _OtherProgram(Exception):
    """The function makes other convolutions of these images than of those it was rewritten for."""


class _Value(NamedTuple):
    """A value of the program; None stands for one that is not known."""

    array: Any
    from_images: bool


_Visit = Callable[[JaxprEqn, list[_Value]], Sequence[Any] | None]
"""The outputs of an equation that depends on the images; None if it is to run as it is."""


def _arguments(variables: Variables, images: Any) -> list[_Value]:
    return [*(_Value(leaf, False) for leaf in jax.tree.leaves(variables)), _Value(images, True)]


def _traced(function: LayerFn, variables: Variables, images: Any) -> tuple[ClosedJaxpr, Any]:
    program, out = jax.make_jaxpr(function, return_shape=True)(variables, images)
    return program, jax.tree.structure(out)


def _walk(
    program: ClosedJaxpr,
    arguments: Sequence[_Value],
    visit: _Visit,
    wanted: Sequence[bool] | None = None,
) -> list[_Value]:
    """The wanted outputs of a program, all by default; what depends on something unknown, and what
    nobody wants, is unknown.
    """
    jaxpr = program.jaxpr
    equations, needed = _needed(jaxpr, wanted or [True] * len(jaxpr.outvars))
    values: dict[Any, _Value] = {}
    values.update(zip(jaxpr.constvars, [_Value(c, False) for c in program.consts], strict=True))
    values.update(zip(jaxpr.invars, arguments, strict=True))

    def read(atom: Any) -> _Value:
        return _Value(atom.val, False) if isinstance(atom, Literal) else values[atom]

    for equation in equations:
        inputs = [read(atom) for atom in equation.invars]
        depends = any(value.from_images for value in inputs)
        if depends and equation.primitive.name in _CALLS and any(_inside(equation)):
            inner = [variable in needed for variable in equation.outvars]
            outputs = _walk(_called(equation), inputs, visit, inner)
            values.update(zip(equation.outvars, outputs, strict=True))
            continue
        arrays = visit(equation, inputs) if depends else None
        if arrays is None:
            arrays = _run(jaxpr, equation, inputs)
        outputs = [_Value(array, depends) for array in arrays]
        values.update(zip(equation.outvars, outputs, strict=True))
    unknown = _Value(None, True)
    return [
        read(atom) if isinstance(atom, Literal) else values.get(atom, unknown)
        for atom in jaxpr.outvars
    ]


def _needed(jaxpr: Jaxpr, wanted: Sequence[bool]) -> tuple[list[JaxprEqn], set[Any]]:
    """The equations that the wanted outputs need, in order, and all variables that they read."""
    outputs = zip(jaxpr.outvars, wanted, strict=True)
    needed = {atom for atom, is_wanted in outputs if is_wanted and not isinstance(atom, Literal)}
    kept = []
    for equation in reversed(jaxpr.eqns):
        if equation.effects or not needed.isdisjoint(equation.outvars):
            kept.append(equation)
            needed.update(atom for atom in equation.invars if not isinstance(atom, Literal))
    return kept[::-1], needed


def _run(jaxpr: Jaxpr, equation: JaxprEqn, inputs: Sequence[_Value]) -> Sequence[Any]:
    """An equation as it is, as the program of this one equation."""
    given = {
        atom: value.array
        for atom, value in zip(equation.invars, inputs, strict=True)
        if not isinstance(atom, Literal)
    }
    if any(array is None for array in given.values()):
        return [None] * len(equation.outvars)
    one = jaxpr.replace(constvars=[], invars=list(given), outvars=equation.outvars, eqns=[equation])
    return jaxpr_as_fun(ClosedJaxpr(one, []))(*given.values())


def _called(equation: JaxprEqn) -> ClosedJaxpr:
    (program,) = programs_within(equation)
    return program if isinstance(program, ClosedJaxpr) else ClosedJaxpr(program, [])


def _inside(equation: JaxprEqn) -> Iterator[str]:
    """The names of all convolutions and max poolings in an equation's own programs."""
    for program in programs_within(equation):
        yield from (name for name in primitives_of(program) if name in _REPLACEABLE)


# ------------------------------------------------------------------------------------- replacing


@dataclass
class _Found:
    """What can be replaced, collected on a walk that computes only what depends on weights."""

    convolutions: list[Convolution]
    kernels: list[Any]
    replaced: int
    left: Counter[str]

    def visit(self, equation: JaxprEqn, inputs: list[_Value]) -> None:
        """Notes what becomes of an equation; its outputs stay unknown."""
        name = equation.primitive.name
        for inner in _inside(equation):
            self.left[f"{_WORDS[inner]} inside {name}"] += 1
        if name not in _REPLACEABLE:
            return
        found = _replacement(equation, inputs)
        if isinstance(found, str):
            self.left[f"{_WORDS[name]} {found}"] += 1
            return
        self.replaced += 1
        if isinstance(found, Convolution):
            self.convolutions.append(found)
            self.kernels.append(found.prepare(inputs[1].array))


_WORDS = {CONVOLUTION: "convolution", MAX_POOLING: "max pooling"}


def _replaced(
    kernels: Iterator[tuple[Convolution, Any]], equation: JaxprEqn, inputs: list[_Value]
) -> Sequence[Any] | None:
    """The output of a convolution or max pooling in our form; None for any other equation."""
    if equation.primitive.name not in _REPLACEABLE:
        return None
    found = _replacement(equation, inputs)
    if isinstance(found, str):
        return None
    if isinstance(found, MaxPooling):
        return [found.run(inputs[0].array)]
    expected, parameters = next(kernels, (None, {}))
    if found != expected:
        raise _OtherProgram
    return [found.run(parameters, inputs[0].array)]


def _replacement(equation: JaxprEqn, inputs: list[_Value]) -> Convolution | MaxPooling | str:
    """How we compute an equation, or in words why we do not."""
    if equation.primitive.name == MAX_POOLING:
        return max_pooling_of(equation)
    if inputs[1].from_images:
        return "whose kernel depends on the images"
    return convolution_of(equation)
