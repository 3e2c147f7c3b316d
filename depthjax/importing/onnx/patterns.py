"""Operations that exporters spell out in several nodes, recognised where they are exactly that.

The nodes within a pattern are lowered too; what nothing reads is left out in the end.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from depthjax.importing import layers
from depthjax.importing.onnx.registry import Context
from depthjax.importing.values import Known, Value
from depthjax.models.operations.gelu import GELU

_ROUNDING = 1e-6  # of constants in float32


class Surroundings:
    """The nodes around a node.

    Fields:
        scope: the tensors so far, by name.
    """

    def __init__(self, nodes: Sequence[Any], scope: Any, results: Sequence[str] = ()) -> None:
        self.scope = scope
        self._makers = {name: node for node in nodes for name in node.output}
        self._readers: dict[str, list[Any]] = {}
        for node in nodes:
            for name in node.input:
                self._readers.setdefault(name, []).append(node)
        self._results = set(results)

    def maker(self, name: str, *kinds: str) -> Any:
        """The node of one of these kinds that makes a tensor, else None."""
        node = self._makers.get(name)
        return node if node is not None and node.op_type in kinds and not node.domain else None

    def only_reader(self, name: str, kind: str) -> Any:
        """The node of this kind that alone reads a tensor, else None."""
        readers = self._readers.get(name, [])
        alone = len(readers) == 1 and name not in self._results and readers[0].op_type == kind
        return readers[0] if alone else None

    def is_shared(self, name: str) -> bool:
        """Whether several nodes read a tensor."""
        return len(self._readers.get(name, [])) > 1

    def number(self, name: str) -> float | None:
        """A known tensor of one number."""
        held = self.scope.get(name)
        return (
            float(held.array.item()) if isinstance(held, Known) and held.array.size == 1 else None
        )

    def is_number(self, name: str, wanted: float) -> bool:
        """Whether a tensor is this number."""
        number = self.number(name)
        return number is not None and math.isclose(number, wanted, rel_tol=_ROUNDING)

    def value(self, name: str) -> Value | None:
        """A tensor that depends on the images."""
        held = self.scope.get(name)
        return held if isinstance(held, Value) else None


_LEAVES = ("weight", "bias", "running_mean", "running_var")


def own_weight(operand: Any, name: str, path: str, around: Surroundings) -> Any:
    """A weight as the module's own, where exporters made one of several that were equal.

    Untrained scales are all 1, and only the first module's name is left of them.
    """
    if not isinstance(operand, Known) or not operand.weight or not around.is_shared(name):
        return operand
    module, _, leaf = operand.weight.rpartition(".")
    if not module or leaf not in _LEAVES or module == path:
        return operand
    return Known(operand.array, f"{path}.{leaf}")


def recognised(node: Any, around: Surroundings, ctx: Context) -> Value | None:
    """What a pattern that ends with this node computes; None without one."""
    if node.domain:
        return None
    if node.op_type == "Mul":
        return _gate(node, around, ctx) or _gelu(node, around, ctx)
    if node.op_type == "Add":
        return _layer_norm(node, around, ctx)
    return None


def _pairs(node: Any) -> Iterator[tuple[str, str]]:
    """The two inputs of a node, in either order."""
    first, second = node.input
    yield first, second
    yield second, first


def _gate(node: Any, around: Surroundings, ctx: Context) -> Value | None:
    """`x · sigmoid(x)` and its kin."""
    for name, gate in _pairs(node):
        x = around.value(name)
        maker = around.maker(gate, "Sigmoid", "HardSigmoid", "Tanh")
        if x is None or maker is None:
            continue
        source = maker.input[0]
        if maker.op_type == "Tanh":
            inner = around.maker(source, "Softplus")
            if inner is not None and inner.input[0] == name:
                return ctx.build.function(ctx.name, "mish", x)
        elif source == name and maker.op_type == "Sigmoid":
            return ctx.build.function(ctx.name, "silu", x)
        elif source == name and _is_sixth(maker):
            return ctx.build.function(ctx.name, "hard_swish", x)
    return None


def _is_sixth(node: Any) -> bool:
    settings = {entry.name: entry.f for entry in node.attribute}
    slope, shift = settings.get("alpha", 0.2), settings.get("beta", 0.5)
    return math.isclose(slope, 1 / 6, rel_tol=_ROUNDING) and math.isclose(shift, 0.5)


# --------------------------------------------------------------------------------------------- GELU


def _gelu(node: Any, around: Surroundings, ctx: Context) -> Value | None:
    """`0.5 · x · (1 + erf(x / √2))`, or with tanh, multiplied in any order."""
    for outer, product in _pairs(node):
        inner = around.maker(product, "Mul")
        if inner is None:
            continue
        factors = [outer, *inner.input]
        halves = [name for name in factors if around.is_number(name, 0.5)]
        if len(halves) != 1:
            continue
        factors.remove(halves[0])
        for name, gate in (factors, factors[::-1]):
            x = around.value(name)
            approximate = None if x is None else _bell(gate, name, around)
            if x is not None and approximate is not None:
                return ctx.build.elementwise(ctx.name, GELU(approximate), x)
    return None


def _bell(gate: str, x: str, around: Surroundings) -> bool | None:
    """Whether `1 + erf(…)` is the approximation by tanh; None if it is neither."""
    for function, one in _pairs_of(around.maker(gate, "Add")):
        maker = around.maker(function, "Erf", "Tanh")
        if maker is None or not around.is_number(one, 1.0):
            continue
        inner = maker.input[0]
        if maker.op_type == "Erf" and _is_scaled(inner, x, 1 / math.sqrt(2), around):
            return False
        if maker.op_type == "Tanh" and _is_cubic(inner, x, around):
            return True
    return None


def _pairs_of(node: Any) -> Iterator[tuple[str, str]]:
    if node is not None:
        yield from _pairs(node)


def _is_scaled(name: str, x: str, factor: float, around: Surroundings) -> bool:
    """Whether a tensor is `factor · x`."""
    quotient = around.maker(name, "Div")
    if quotient is not None:
        return quotient.input[0] == x and around.is_number(quotient.input[1], 1 / factor)
    return any(
        first == x and around.is_number(second, factor)
        for first, second in _pairs_of(around.maker(name, "Mul"))
    )


def _is_cubic(name: str, x: str, around: Surroundings) -> bool:
    """Whether a tensor is `√(2/π) · (x + 0.044715 · x³)`."""
    for total, factor in _pairs_of(around.maker(name, "Mul")):
        if not around.is_number(factor, math.sqrt(2 / math.pi)):
            continue
        for first, term in _pairs_of(around.maker(total, "Add")):
            for cube, share in _pairs_of(around.maker(term, "Mul")):
                if first == x and around.is_number(share, 0.044715) and _is_cube(cube, x, around):
                    return True
    return False


def _is_cube(name: str, x: str, around: Surroundings) -> bool:
    power = around.maker(name, "Pow")
    if power is not None:
        return power.input[0] == x and around.is_number(power.input[1], 3.0)
    return any(
        first == x and _is_square(second, x, around)
        for first, second in _pairs_of(around.maker(name, "Mul"))
    )


def _is_square(name: str, x: str, around: Surroundings) -> bool:
    node = around.maker(name, "Pow", "Mul")
    if node is None or node.input[0] != x:
        return False
    return around.is_number(node.input[1], 2.0) if node.op_type == "Pow" else node.input[1] == x


# ---------------------------------------------------------------------------------------- LayerNorm


def _layer_norm(node: Any, around: Surroundings, ctx: Context) -> Value | None:
    """`(x − mean) / √(variance + ε) · scale + bias` over the last axes."""
    for product, bias in _pairs(node):
        for quotient, scale in _pairs_of(around.maker(product, "Mul")):
            gain, shift = (
                own_weight(around.scope.get(key), key, ctx.path, around) for key in (scale, bias)
            )
            found = _standardised(quotient, around)
            if found is None or not isinstance(gain, Known) or not isinstance(shift, Known):
                continue
            x, axes, epsilon = found
            over = sorted(axis % x.rank for axis in axes)
            shape = tuple(x.shape[axis] for axis in over)
            last = over == list(range(x.rank - len(over), x.rank))
            if last and gain.shape == shift.shape == shape:
                name = ctx.owner(gain, shift)
                return layers.layer_norm(ctx.build, name, x, len(over), gain, shift, epsilon)
    return None


def _standardised(name: str, around: Surroundings) -> tuple[Value, Sequence[int], float] | None:
    """What is standardised, over which axes, and ε."""
    quotient = around.maker(name, "Div")
    if quotient is None:
        return None
    centred = around.maker(quotient.input[0], "Sub")
    root = around.maker(quotient.input[1], "Sqrt")
    if centred is None or root is None:
        return None
    for variance, small in _pairs_of(around.maker(root.input[0], "Add")):
        epsilon, mean_square = around.number(small), around.maker(variance, "ReduceMean")
        mean = around.maker(centred.input[1], "ReduceMean")
        if epsilon is None or mean_square is None or mean is None:
            continue
        x = around.value(centred.input[0])
        axes = _axes(mean, around)
        fits = (
            x is not None
            and mean.input[0] == centred.input[0]
            and axes
            and axes == _axes(mean_square, around)
            and _is_square(mean_square.input[0], quotient.input[0], around)
        )
        if x is not None and fits:
            return x, axes, epsilon
    return None


def _axes(node: Any, around: Surroundings) -> list[int]:
    """The axes of a mean that keeps them; none if it does not, or does not say."""
    given = {entry.name: entry for entry in node.attribute}
    if "keepdims" in given and not given["keepdims"].i:
        return []
    if len(node.input) > 1:
        held = around.scope.get(node.input[1])
        return held.array.ravel().tolist() if isinstance(held, Known) else []
    return list(given["axes"].ints) if "axes" in given else []


# ------------------------------------------------------------------------------------ linear layers


def bias_after(node: Any, around: Surroundings, features: int) -> tuple[str, Known] | None:
    """The sum that alone reads a product and adds a bias to it: its tensor, and the bias."""
    total = around.only_reader(node.output[0], "Add")
    for product, other in _pairs_of(total):
        bias = around.scope.get(other)
        if product == node.output[0] and isinstance(bias, Known) and bias.shape == (features,):
            return total.output[0], bias
    return None
