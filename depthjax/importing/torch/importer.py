"""`from_torch`: a module, exported by PyTorch, rule by rule into our graph."""

import operator
import re
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Set
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from depthjax.errors import in_one_line
from depthjax.importing.building import Builder
from depthjax.importing.encoding import array_sha256, encoded
from depthjax.importing.finishing import finish, module_outputs, needed
from depthjax.importing.network import ImportedNetwork
from depthjax.importing.torch import rules  # noqa: F401, which registers them
from depthjax.importing.torch.elsewhere import Size, is_same_elsewhere
from depthjax.importing.torch.exporting import checked, exported, passing
from depthjax.importing.torch.in_place import seen_elsewhere
from depthjax.importing.torch.naming import (
    called,
    first_tensor,
    functions,
    label,
    nodes_in,
    operation_name,
    stack_of,
    used_elsewhere,
)
from depthjax.importing.torch.registry import RULES, Context
from depthjax.importing.values import Known, Value


def from_torch(
    module: Any, example: Any, *, source: str | None = None
) -> tuple[ImportedNetwork, dict[str, Any]]:
    """A PyTorch module as a network, with its weights.

    The module is traced by `torch.export` in evaluation mode, so its layers are named as in
    PyTorch: `layer1.0.conv1`, and `layer1.0` for the output of that block. Activations are channels
    last. PyTorch is not needed afterwards.

    Args:
        module: a `torch.nn.Module` that takes images `[batch, channels, height, width]`, also one
            within `torch.compile` or `DataParallel`. What it does to the pixels itself is part of
            the network; what its data pipeline does is not: see `Layer(…, normalization=…)`.
        example: a tensor (or array of NumPy) of one image `[1, C, H, W]`, or of several, of which
            the first is taken. If it is of bytes (uint8), the module gets pixels from 0 to 255,
            else as they are.
        source: what messages call it; by default the module's class.

    Returns:
        A `Network`, and its variables. Weights are float32, or float64 for a module in double
        precision where x64 is on.

    Raises:
        ImportError: without PyTorch.
        ValueError: if PyTorch cannot export the module (its control flow depends on values, say),
            or if it uses operations that are not supported; all of them are named.
    """
    network, example = checked(module, example)
    with passing(network) as passed:
        graph = exported(network, example)
    lowering = _Lowering(graph, source or type(network).__name__)
    lowering.lower()
    model, variables = lowering.finish(*_returned(network, example, lowering, passed))
    if model.content.any_size and not is_same_elsewhere(
        network, example, partial(_same_graph, network, example, lowering)
    ):
        model = ImportedNetwork(replace(model.content, any_size=False))
    return model, variables


def _returned(
    module: Any, example: Any, lowering: "_Lowering", passed: Set[str]
) -> tuple[dict[str, Any], dict[str, Value]]:
    """The node of each module's output, of several outputs the first; and what modules pass on.

    A second export, which keeps the modules' signatures, says which; without it, the first node
    used outside the module.

    Args:
        module, example, lowering: the import so far.
        passed: paths of modules that give an input back as the first of several outputs.
    """
    used = used_elsewhere(lowering.visited, lowering.made)
    outputs = {name: nodes[0] for name, nodes in used.items()}
    values = {name: {lowering.made[node] for node in nodes} for name, nodes in used.items()}
    several = [name for name, held in values.items() if len(held) > 1]
    calls = {*passed, *several, *(re.sub(r"_\d+$", "", name) for name in several)}
    asked = [path for path, _ in module.named_modules() if path and path in calls]
    if not asked:
        return outputs, {}
    try:
        graph = exported(module, example, asked).module_call_graph
    except ValueError:
        return outputs, {}
    every = {node.name: lowering.made.get(node) for node in lowering.exported.graph.nodes}
    given: dict[str, Value] = {}
    for call in graph:
        path, _, number = call.fqn.partition("@")
        name = called(path, number)
        returned = [output.name for output in call.signature.outputs] if call.signature else []
        nodes = {node.name: node for node in used.get(name, ())}
        known = [nodes[other] for other in returned if other in nodes]
        if path in passed and returned[:1] != [node.name for node in known[:1]]:
            if isinstance(value := every.get(returned[0]), Value):
                given[name] = value
        elif known:
            outputs[name] = known[0]
    return outputs, given


def _same_graph(module: Any, example: Any, lowering: "_Lowering", size: Size) -> bool | None:
    """Whether an export at a size gives the same graph; None where there is none."""
    try:
        other = _Lowering(
            exported(module, example.new_zeros((1, example.shape[1], *size))), lowering.source
        )
    except ValueError:
        return None
    try:
        other.lower()
        return bool(other.content() == lowering.content())
    except ValueError:  # it does something at that size that cannot be imported
        return False
    except Exception as error:
        warnings.warn(
            f"{lowering.source} takes images of its own size alone, for whether it takes others is"
            f" not known: at {size[0]}×{size[1]} its import raised {type(error).__name__}"
            f" ({in_one_line(error, most=200)}); please report it",
            stacklevel=5,
        )
        return False


class _Tensor(NamedTuple):
    """A known tensor that no rule has asked for yet."""

    weight: str | None = None
    lower: Callable[[], Value] | None = None


_OF_SHAPE = (
    *("new_zeros", "new_ones", "new_full", "new_empty", "zeros_like", "ones_like", "full_like"),
    *("empty_like", "new_tensor"),
)
"""Operations that ask a tensor for its shape alone."""


_ENTERED = {"wrap_with_autocast": 4, "wrap_with_set_grad_enabled": 1}
"""Regions of the forward pass, and how many settings come before their graph: all is computed in
one precision here."""


class _Lowering:
    """One import; `tensors` are known, `values` depend on the images."""

    def __init__(self, exported: Any, source: str) -> None:
        self.exported, self.source = exported, source
        self.build = Builder()
        self.made: dict[Any, Any] = {}  # fx node -> Value, Known, tuple, number, inner graph
        self.visited: list[Any] = []  # fx nodes, also those of inner graphs
        self.tensors: dict[Any, Any] = {}  # fx node -> torch.Tensor, where it is known
        self.missing: Counter[str] = Counter()
        self.regions: list[Any] = []  # fx nodes whose inner graphs are being visited
        self.images: Value | None = None
        self.result: Any = None

    def lower(self) -> None:
        """Runs all rules."""
        for node in self.exported.graph.nodes:
            if node.op == "placeholder":
                self._take(node)
            else:
                self._visit(node, self.exported.graph_module)
        if self.missing:
            listed = ", ".join(f"{name} ({n})" for name, n in self.missing.most_common())
            raise ValueError(f"{self.source} uses operations that are not supported: {listed}")
        (output,) = (n for n in self.exported.graph.nodes if n.op == "output")
        self.result = self.made[first_tensor(output.args[0])]

    def finish(
        self, returned: Mapping[str, Any], given: Mapping[str, Value]
    ) -> tuple[ImportedNetwork, dict[str, Any]]:
        """The network and its variables.

        Args:
            returned: the node of each module's output, where it is known.
            given: what modules give that others before them have computed; it has their names, too.
        """
        assert self.images is not None and self.result is not None
        values = {
            node: value
            for node, value in self.made.items()
            if isinstance(value, Value) and value.batched
        }
        outputs = module_outputs(
            [(stack_of(node), values.get(node)) for node in self.visited],
            {path: values[node] for path, node in returned.items()},
        )
        return finish(
            *(self.build, self.source, self.images, self.result),
            [output for output in outputs if output.name not in given],
            {**functions(self.visited, self.made), **given},
            shared=_shared(self.exported.state_dict),
        )

    def content(self) -> Any:
        """What the result is computed by, to be compared; without the module's own weights."""
        assert self.result is not None
        nodes = needed(self.build.nodes, self.result.node)
        arrays = {
            (node.name, leaf): array_sha256(array)
            for node in nodes
            for leaves in self.build.variables.values()
            for leaf, array in leaves.get(node.name, {}).items()
            if (node.name, leaf) not in self.build.weights
        }
        return encoded(tuple(nodes)), arrays, self.build.weights

    def _take(self, node: Any) -> None:
        signature = self.exported.graph_signature
        weights = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
        name = weights.get(node.name)
        name = name or signature.inputs_to_lifted_tensor_constants.get(node.name)
        if name is None:
            example = node.meta["val"]
            self.images = self.build.images(tuple(example.shape))
            try:
                dtype = str(example.dtype).removeprefix("torch.")
                self.made[node] = self.build.pixels(self.images, dtype)
            except ValueError as error:
                raise ValueError(f"{self.source}: {error}") from error
            return
        held = self.exported.state_dict
        tensor = held[name] if name in held else self.exported.constants[name]
        weight = name if tensor.is_floating_point() and node.name in weights else None
        self.tensors[node] = tensor.detach()
        self.made[node] = _Tensor(weight)

    def _visit(self, node: Any, owner: Any) -> None:
        if node.op == "get_attr":
            self.made[node] = owner.get_submodule(node.target)
        elif node.op == "call_function":
            self._call(node)
            self.visited.append(node)

    def _enter(self, node: Any, settings: int) -> None:
        """A part of the forward pass under some settings: an inner graph and its operands."""
        inner, *operands = node.args[settings:]
        graph_module = self.made[inner]
        placeholders = [n for n in graph_module.graph.nodes if n.op == "placeholder"]
        for placeholder, operand in zip(placeholders, operands, strict=True):
            self._copy(operand, placeholder)
        self.regions.insert(0, node)
        for part in graph_module.graph.nodes:
            self._visit(part, graph_module)
        self.regions.pop(0)
        (output,) = (n for n in graph_module.graph.nodes if n.op == "output")
        outputs = nodes_in(output.args[0])
        if all(part in self.made for part in outputs):
            self.made[node] = tuple(self._left(part, node) for part in outputs)

    def _left(self, part: Any, node: Any) -> Any:
        """What an inner graph gives; no gradient passes where PyTorch computes none."""
        made = self.made[part]
        stopped = operation_name(node.target) == "wrap_with_set_grad_enabled" and not node.args[0]
        if isinstance(made, _Tensor):
            made = self._resolved(part)
        if not stopped or not isinstance(made, Value):
            return made
        return self.build.function(f"{made.node}.detached", "stop_gradient", made)

    def _copy(self, node: Any, placeholder: Any) -> None:
        self.made[placeholder] = self.made[node]
        if node in self.tensors:
            self.tensors[placeholder] = self.tensors[node]

    def _call(self, node: Any) -> None:
        arguments = [*nodes_in(node.args), *nodes_in(node.kwargs)]
        if any(other not in self.made for other in arguments):
            return  # it follows a missing operation
        if node.target is operator.getitem:
            source, index = node.args
            if source in self.tensors:
                self._keep(node, self.tensors[source][index], [source])
            else:
                self.made[node] = self.made[source][index]
            return
        name = operation_name(node.target)
        if name in _ENTERED:
            self._enter(node, _ENTERED[name])
            return
        if name in _OF_SHAPE or all(other in self.tensors for other in arguments):
            self._evaluate(node, arguments)
            return
        if name.startswith(("_assert", "sym_constrain")):
            return
        if name not in RULES:
            self.missing[name] += 1
            return
        if (other := seen_elsewhere(node, self.regions)) is not None:
            raise ValueError(
                f"{self.source}: {name}_ of {label(node)} changes in place what {label(other)} has"
                " in memory, too, and that is used later; it cannot be imported: make a new tensor"
                f" there (.{name}() without the underscore, or .clone() before)"
            )
        self.made[node] = self._apply(node)

    def _apply(self, node: Any) -> Any:
        """The rule of a node."""
        context = Context(self.build, label(node))
        args, kwargs = self._resolved(node.args), self._resolved(node.kwargs)
        try:
            return RULES[operation_name(node.target)](context, *args, **kwargs)
        except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
            where = f"{operation_name(node.target)} of {context.name}"
            raise ValueError(f"{self.source}: {where} cannot be imported: {error}") from error

    def _resolved(self, argument: Any) -> Any:
        if isinstance(argument, list | tuple):
            return [self._resolved(part) for part in argument]
        if isinstance(argument, dict):
            return {name: self._resolved(part) for name, part in argument.items()}
        if not hasattr(argument, "op"):
            return argument
        made = self.made[argument]
        if isinstance(made, _Tensor):
            # Only now: what was written into a part of it since counts.
            made = Known(_array(self.tensors[argument]), made.weight, made.lower)
            self.made[argument] = made
        return made

    # ------------------------------------------------------------------------------- known tensors

    def _evaluate(self, node: Any, arguments: list[Any]) -> None:
        """Computes what depends on no image, by PyTorch itself."""
        import torch

        def known(argument: Any) -> Any:
            if isinstance(argument, list | tuple):
                return type(argument)(known(part) for part in argument)
            if not hasattr(argument, "op"):
                return argument
            if argument in self.tensors:
                return self.tensors[argument]
            return torch.empty(argument.meta["val"].shape)  # only its shape is asked for

        with torch.no_grad():
            kwargs = {name: known(value) for name, value in node.kwargs.items()}
            result = node.target(*known(tuple(node.args)), **kwargs)
        self._keep(node, result, arguments)

    def _keep(self, node: Any, result: Any, arguments: list[Any]) -> None:
        self.tensors[node] = result
        if not hasattr(result, "detach"):
            self.made[node] = result
            return
        made = [self.made.get(other) for other in arguments]
        of_weights = any(isinstance(m, Known | _Tensor) and (m.weight or m.lower) for m in made)
        lower = self._lowered(node) if of_weights and operation_name(node.target) in RULES else None
        self.made[node] = _Tensor(None, lower)

    def _lowered(self, node: Any) -> Callable[[], Value]:
        """Makes what was computed of weights a part of the graph, if it is needed there."""
        return lambda: self.build.value(self._apply(node))


def _shared(state: Mapping[str, Any]) -> dict[str, list[str]]:
    """All names of a tensor that has several, by each of them."""
    names: dict[Any, list[str]] = {}
    for name, tensor in state.items():
        place = (tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride())
        names.setdefault(place if tensor.numel() else name, []).append(name)
    return {name: same for same in names.values() if len(same) > 1 for name in same}


def _array(tensor: Any) -> np.ndarray:
    tensor = tensor.detach().cpu().contiguous()
    if tensor.is_floating_point() and tensor.element_size() < 4:
        tensor = tensor.float()
    return np.array(tensor.numpy())
