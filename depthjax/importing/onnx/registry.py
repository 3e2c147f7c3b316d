"""Rules by the name of ONNX's operation and by opset."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from depthjax.importing.building import Builder
from depthjax.importing.nodes import Operand
from depthjax.importing.values import Known, Value

Rule = Callable[..., Any]
"""`(context, *inputs, **attributes) -> operand`, or a tuple of them; an omitted input is None."""

Setting = Operand | Sequence[int] | Sequence[float] | int | float | None
"""An input that older opsets have as an attribute of the same name."""

_RULES: dict[str, list[tuple[int, Rule]]] = {}


class UnsupportedError(ValueError):
    """What an operation asks for and a rule cannot do."""


def rule(*names: str, since: int = 1) -> Callable[[Rule], Rule]:
    """Registers a rule for operations of ONNX's own domain, from an opset on."""

    def register(function: Rule) -> Rule:
        for name in names:
            _RULES.setdefault(name, []).append((since, function))
        return function

    return register


def find_rule(name: str, opset: int) -> Rule | None:
    """The rule of an operation that holds in an opset."""
    known = [(since, function) for since, function in _RULES.get(name, []) if since <= opset]
    return max(known, key=lambda pair: pair[0])[1] if known else None


@dataclass(frozen=True)
class Context:
    """What a rule needs beside its inputs.

    Fields:
        build: the graph so far.
        name: a name for the nodes.
        path: a name for a node that holds weights whose own names do not say whose they are.
        opset: of ONNX's own domain.
        batch: the number of images that the file was exported for.
        outputs: how many outputs the node has.
    """

    build: Builder
    name: str
    path: str
    opset: int
    batch: int = 1
    outputs: int = 1

    def value(self, operand: Operand) -> Value:
        """A tensor as a value of the graph."""
        return self.build.value(operand, f"{self.name}.constant")

    def weight(self, operand: Operand | None, what: str) -> Known | None:
        """A weight, which must not depend on the images."""
        if isinstance(operand, Value):
            raise UnsupportedError(f"{what} that depends on the images")
        return operand

    def needed(self, operand: Operand | None, what: str) -> Known:
        """A weight that must not be left out."""
        weight = self.weight(operand, what)
        if weight is None:
            raise ValueError(f"{what} is left out")
        return weight

    def numbers(self, operand: Any, what: str) -> np.ndarray:
        """As `array`, of what must not be left out."""
        array = self.array(operand, what)
        if array is None:
            raise ValueError(f"{what} is left out")
        return np.asarray(array)

    def ints(self, operand: Any, what: str) -> tuple[int, ...] | None:
        """Integers of an attribute, or of an input, which must be known; None if left out."""
        array = self.array(operand, what)
        return None if array is None else tuple(int(n) for n in np.ravel(array))

    def array(self, operand: Any, what: str) -> np.ndarray | None:
        """The numbers of an attribute, or of an input, which must be known; None if left out."""
        if isinstance(operand, Value):
            raise UnsupportedError(f"{what} that depends on the images")
        if operand is None:
            return None
        return np.asarray(operand.array if isinstance(operand, Known) else operand)

    def owner(self, *weights: Known | None) -> str:
        """The module that weights are of, by their names in a state dict; else `path`."""
        for weight in weights:
            if weight is not None and weight.weight:
                module, _, leaf = weight.weight.rpartition(".")
                if module and leaf in ("weight", "bias", "running_mean"):
                    return module
        return self.path
