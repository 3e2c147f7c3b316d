"""Rules by the name of PyTorch's operation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from depthjax.importing.building import Builder
from depthjax.importing.nodes import Operand
from depthjax.importing.values import Known, Value

Number = int | float
"""A setting as PyTorch gives it."""

Sizes = int | Sequence[int]
"""A setting of each axis, or one for all."""

RULES: dict[str, Callable[..., Any]] = {}
"""`aten` names without overloads: `(context, *args, **kwargs) -> Value` or a tuple of them."""


def rule(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Registers a rule for some operations; an in-place one (`relu_`) has the same rule."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        RULES.update(dict.fromkeys(names, function))
        return function

    return register


@dataclass(frozen=True)
class Context:
    """What a rule needs beside its arguments.

    Fields:
        build: the graph so far.
        name: a name for the node.
    """

    build: Builder
    name: str

    def value(self, operand: Operand) -> Value:
        """A tensor as a value of the graph."""
        return self.build.value(operand, self.name)

    def owner(self, known: Known | None) -> str:
        """The module that a weight is of: the name of the node that holds it."""
        if known is None or known.weight is None:
            return self.name
        path, _, leaf = known.weight.rpartition(".")
        return path if path and leaf in ("weight", "running_mean") else known.weight


def each(setting: Sizes, axes: int) -> tuple[int, ...]:
    """A setting for each axis."""
    if isinstance(setting, int):
        return (setting,) * axes
    return tuple(setting) * axes if len(setting) == 1 else tuple(setting)
