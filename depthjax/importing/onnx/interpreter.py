"""Runs the nodes of an ONNX graph: each is folded, lowered by its rule, or replaced by its body."""

from collections import ChainMap, Counter
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from depthjax.importing import layers
from depthjax.importing.building import Builder
from depthjax.importing.nodes import Operand
from depthjax.importing.onnx import rules  # noqa: F401, which registers them
from depthjax.importing.onnx.folding import can_fold, fold
from depthjax.importing.onnx.naming import clean, scopes
from depthjax.importing.onnx.patterns import Surroundings, bias_after, own_weight, recognised
from depthjax.importing.onnx.reading import to_array
from depthjax.importing.onnx.registry import Context, UnsupportedError, find_rule
from depthjax.importing.values import Known, Value

MISSING = object()
"""What an operation without a rule gives, and all that follows from it."""

Scope = MutableMapping[str, Any]
"""The tensors so far: operands, None for what an optional input leaves out, or `MISSING`."""


class Made(NamedTuple):
    """A tensor of the graph that depends on the images.

    Fields:
        scopes: the modules that its node lies in, outermost first.
        name: of the tensor.
        value: where it is computed.
    """

    scopes: tuple[str, ...]
    name: str
    value: Value


class Interpreter:
    """One import.

    Fields:
        made: the tensors of the outermost graph, in order.
        missing: how many nodes have no rule, by operation.
    """

    def __init__(
        self,
        build: Builder,
        opset: int,
        functions: Sequence[Any] = (),
        prefix: str = "",
        batch: int = 1,
    ) -> None:
        self.build, self.opset, self.batch = build, opset, batch
        self.functions = {(f.domain, f.name): f for f in functions}
        self.prefix = prefix
        self.made: list[Made] = []
        self.missing: Counter[str] = Counter()

    def run(
        self, nodes: Sequence[Any], scope: Scope, results: Sequence[str] = (), within: str = ""
    ) -> None:
        """Adds the tensors of all nodes to the scope.

        Args:
            nodes: in an order in which they can be computed.
            scope: the tensors so far.
            results: the tensors that are read in the end.
            within: the layer that the nodes are the body of.
        """
        around = Surroundings(nodes, scope, results)
        for node in nodes:
            if node.output[0] in scope:  # a pattern has given it already
                if not within:
                    self._note(node, scope, self._scopes(node))
                continue
            inputs = [scope[name] if name else None for name in node.input]
            if any(entry is MISSING for entry in inputs):
                self._bind(node, [MISSING] * len(node.output), scope)
                continue
            paths = self._scopes(node)
            given = self._results(node, inputs, scope, around, paths, within)
            self._bind(node, given, scope)
            if not within:
                self._note(node, scope, paths)

    def _bind(self, node: Any, results: Sequence[Any], scope: Scope) -> None:
        for name, result in zip(node.output, results, strict=False):
            if name:
                scope[name] = result

    def _note(self, node: Any, scope: Scope, paths: tuple[str, ...]) -> None:
        for name in node.output:
            value = scope.get(name)
            if isinstance(value, Value) and value.batched:
                self.made.append(Made(paths, name, value))

    def _scopes(self, node: Any) -> tuple[str, ...]:
        start = f"{self.prefix}."
        found = scopes(node)
        return tuple(path.removeprefix(start) for path in found if path != self.prefix)

    # ------------------------------------------------------------------------------- one operation

    def _results(
        self,
        node: Any,
        inputs: list[Any],
        scope: Scope,
        around: Surroundings,
        paths: tuple[str, ...],
        within: str,
    ) -> Sequence[Any]:
        name = clean(node.output[0]) or node.op_type
        path = within or (paths[-1] if paths else name)
        if paths:
            inputs = [
                own_weight(operand, key, path, around)
                for operand, key in zip(inputs, node.input, strict=True)
            ]
        label = f"{path}.{node.op_type}" if within or paths else name
        context = Context(self.build, label, path, self.opset, self.batch, len(node.output))
        try:
            return self._computed(node, inputs, scope, around, context)
        except UnsupportedError as error:
            self.missing[f"{_full_name(node)} with {error}"] += 1
            return [MISSING] * len(node.output)
        except (ValueError, TypeError, KeyError, IndexError) as error:
            where = f"{node.op_type} {node.name or node.output[0]}"
            raise ValueError(f"{where} cannot be imported: {error}") from error

    def _computed(
        self, node: Any, inputs: list[Any], scope: Scope, around: Surroundings, context: Context
    ) -> Sequence[Any]:
        if node.op_type == "Constant" and not node.domain:
            return [_constant(node)]
        if node.op_type == "Identity" and isinstance(inputs[0], Known) and inputs[0].weight:
            return [Known(inputs[0].array, node.output[0])]  # another module's weight, as large
        if node.op_type == "If":
            return self._branch(node, inputs[0], scope, context)
        function = self.functions.get((node.domain, node.op_type))
        if function is not None:
            return self._called(function, node, inputs, context)
        known = all(entry is None or isinstance(entry, Known) for entry in inputs)
        if known and can_fold(node):
            arrays = [None if entry is None else entry.array for entry in inputs]
            results = fold(node, arrays, self.opset)
            return [_unchanged(array, inputs) or Known(array) for array in results]
        pattern = recognised(node, around, context)
        if pattern is not None:
            return [pattern]
        if node.op_type == "MatMul" and self._with_bias(node, inputs, around, context):
            return []
        apply = find_rule(node.op_type, self.opset) if node.domain in ("", "ai.onnx") else None
        if apply is not None:
            made = apply(context, *inputs, **attributes(node))
            if made is not NotImplemented:
                return made if isinstance(made, tuple) else [made]
        body = _body(node, inputs, self.opset)
        if body is not None:
            return self._called(body, node, inputs, context)
        self.missing[_full_name(node)] += 1
        return [MISSING] * len(node.output)

    def _with_bias(
        self, node: Any, inputs: list[Any], around: Surroundings, context: Context
    ) -> bool:
        """Makes a product with a matrix, and the sum after it that adds a bias, one layer."""
        x, matrix = inputs
        if not isinstance(x, Value) or not isinstance(matrix, Known) or matrix.rank != 2:
            return False
        after = bias_after(node, around, matrix.shape[1])
        if after is None or x.rank < 2:
            return False
        total, bias = after
        if context.path != context.name:  # the node says whose it is
            bias = own_weight(bias, bias.weight or "", context.path, around)
        name = context.owner(bias)
        made = layers.linear(self.build, name, x, matrix.array.T, bias)
        around.scope[total] = made
        return True

    def _called(
        self, function: Any, node: Any, inputs: list[Any], context: Context
    ) -> Sequence[Any]:
        """The outputs of a function's body, which sees only its inputs."""
        given = [*inputs, *[None] * (len(function.input) - len(inputs))]
        scope: Scope = dict(zip(function.input, given, strict=True))
        defaults = _defaults(node) | {entry.name: entry for entry in function.attribute_proto}
        arguments = defaults | {entry.name: entry for entry in node.attribute}
        body = [_with_attributes(inner, arguments) for inner in function.node]
        self.run(body, scope, function.output, context.path)
        return [scope.get(name) for name in function.output]

    def _branch(self, node: Any, condition: Any, scope: Scope, context: Context) -> Sequence[Any]:
        if not isinstance(condition, Known):
            raise UnsupportedError("a condition that depends on the images")
        chosen = "then_branch" if condition.array.all() else "else_branch"
        graph = attributes(node)[chosen]
        inner: Scope = ChainMap({}, scope)
        inner.update({t.name: known_weight(t.name, to_array(t)) for t in graph.initializer})
        results = [entry.name for entry in graph.output]
        self.run(graph.node, inner, results, context.path)
        return [inner[name] for name in results]


def known_weight(name: str, array: np.ndarray) -> Known:
    """An initialiser; those of more than one floating number are weights and keep their name."""
    is_weight = array.dtype.kind == "f" and array.size > 1
    return Known(array, name if is_weight else None)


def attributes(node: Any) -> dict[str, Any]:
    """The attributes of a node, strings as text."""
    from onnx import helper

    def text(value: Any) -> Any:
        if isinstance(value, bytes):
            return value.decode("utf-8", "replace")
        return [text(part) for part in value] if isinstance(value, list) else value

    return {entry.name: text(helper.get_attribute_value(entry)) for entry in node.attribute}


def _unchanged(array: np.ndarray, inputs: Sequence[Known | None]) -> Known | None:
    """The weight that the result is, where nothing happened to it (`Expand` for one image)."""
    for entry in inputs:
        if entry is not None and entry.weight and np.array_equal(entry.array, array):
            return entry
    return None


def _constant(node: Any) -> Known:
    """The tensor of a `Constant` node, in one of its spellings."""
    ((name, value),) = attributes(node).items()
    if name == "value":
        return Known(to_array(value))
    if name in ("value_float", "value_floats"):
        return Known(np.asarray(value, np.float32))
    if name in ("value_int", "value_ints"):
        return Known(np.asarray(value, np.int64))
    raise UnsupportedError(name)


def _full_name(node: Any) -> str:
    return f"{node.domain}.{node.op_type}" if node.domain else str(node.op_type)


def _with_attributes(node: Any, arguments: Mapping[str, Any]) -> Any:
    """A node of a function's body with the attributes that the call gives."""
    if not any(entry.ref_attr_name for entry in node.attribute):
        return node
    from onnx import NodeProto

    filled = NodeProto()
    filled.CopyFrom(node)
    del filled.attribute[:]
    for entry in node.attribute:
        given = arguments.get(entry.ref_attr_name) if entry.ref_attr_name else entry
        if given is not None:
            filled.attribute.add().CopyFrom(given)
            filled.attribute[-1].name = entry.name
    return filled


def _body(node: Any, inputs: Sequence[Operand | None], opset: int) -> Any:
    """What the standard itself says that an operation is made of, if it says so."""
    import onnx

    if node.domain not in ("", "ai.onnx") or not onnx.defs.has(node.op_type):
        return None
    schema: Any = onnx.defs.get_schema(node.op_type, opset)
    if schema.has_function:
        return schema.function_body
    if not schema.has_context_dependent_function:
        return None
    types = [_type(entry).SerializeToString() for entry in inputs]
    serialised = schema.get_context_dependent_function(node.SerializeToString(), types)
    function = onnx.FunctionProto()
    function.ParseFromString(serialised)
    return function


def _defaults(node: Any) -> dict[str, Any]:
    """The standard's default of each attribute of an operation, which its body may read."""
    import onnx

    if node.domain not in ("", "ai.onnx") or not onnx.defs.has(node.op_type):
        return {}
    given = onnx.defs.get_schema(node.op_type).attributes.items()
    return {name: entry.default_value for name, entry in given if entry.default_value.name}


def _type(operand: Operand | None) -> Any:
    import onnx

    if operand is None:
        return onnx.TypeProto()
    dtype = operand.dtype if isinstance(operand, Value) else operand.array.dtype.name
    kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return onnx.helper.make_tensor_type_proto(kind, list(operand.shape))
