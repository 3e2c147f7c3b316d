"""From a built graph to a network: names, aliases, weights, and a check of all shapes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from depthjax.importing.building import Builder
from depthjax.importing.network import Graph, ImportedNetwork, renamed
from depthjax.importing.nodes import free_name
from depthjax.importing.sizes import shapes_of, takes_any_size
from depthjax.importing.values import Value
from depthjax.models.network import INPUT, RESERVED, Node
from depthjax.models.operations import describe


class Output(NamedTuple):
    """What a module (or a named tensor) of the source gives.

    Fields:
        name: the module's path.
        value: its output.
        is_block: whether it has modules within it.
    """

    name: str
    value: Value
    is_block: bool


def module_outputs(
    tensors: Iterable[tuple[Sequence[str], Value | None]],
    returned: Mapping[str, Value] = MappingProxyType({}),
) -> list[Output]:
    """The output of each module; inner modules first.

    Args:
        tensors: in order, the modules that each is computed in, outermost first, and where it is
            computed; None if it does not depend on the images.
        returned: a module's output, where it is known; else it is the last tensor within it.
    """
    last: dict[str, Value] = {}
    holders: set[str] = set()
    for paths, value in tensors:
        holders.update(paths[:-1])
        if value is not None:
            for path in paths:
                last.pop(path, None)
                last[path] = value
    last |= {path: value for path, value in returned.items() if path in last}
    found = [Output(path, value, path in holders) for path, value in last.items()]
    return sorted(found, key=lambda output: -output.name.count("."))


def finish(
    build: Builder,
    source: str,
    images: Value,
    result: Value,
    outputs: Sequence[Output],
    others: Mapping[str, Value] = MappingProxyType({}),
    stages: Sequence[str] = (),
    shared: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> tuple[ImportedNetwork, dict[str, Any]]:
    """The network and its variables.

    A node with weights keeps its name, which state dicts have. Any other node takes the name of the
    innermost block that ends with it, else of the module that it is; all other modules are aliases.

    Args:
        build: the graph.
        source: where it comes from.
        images: its input, stored as [B, H, W, C].
        result: its output; what that does not depend on is left out.
        outputs: of the modules, inner ones before those that hold them.
        others: more names of tensors; they become aliases.
        stages: names of layers that tell the depth at a glance; by default the outermost modules.
        shared: all names in the source of a weight that has several, by each of them.

    Returns:
        The network, and `{"params": …, "batch_stats": …}`: float64 where the source has it and x64
        is on, else float32.
    """
    if result.node == INPUT or not result.batched:
        raise ValueError(f"{source} computes nothing of its input that depends on it")
    nodes = needed(build.nodes, result.node)
    kept = {node.name for node in nodes}
    named = [output for output in outputs if output.name and output.value.node in kept]
    names = _names(nodes, named)
    values = {names[node.name]: build.values[node.name] for node in nodes}
    more = {name: value for name, value in others.items() if value.node in kept}
    aliases = {
        name: names[value.node]
        for name, value in [*more.items(), *((o.name, o.value) for o in named)]
        if name not in values
    }
    values = more | values | {output.name: output.value for output in named}
    shown = tuple(dict.fromkeys(s for s in stages if s in aliases or s in names.values()))
    graph = Graph(
        source=source,
        nodes=renamed(nodes, names),
        aliases=tuple(aliases.items()),
        stages=shown or _outermost(named, {node.name: i for i, node in enumerate(nodes)}),
        image_shape=(images.stored[0], images.stored[1], images.stored[2]),
        any_size=False,
        weights=tuple(
            (names[node], leaf, each)
            for (node, leaf), name in build.weights.items()
            if node in kept
            for each in dict.fromkeys((name, *shared.get(name, ())))
        ),
        values=tuple(values.items()),
    )
    variables = {
        group: {names[name]: _arrays(leaves) for name, leaves in held.items() if name in kept}
        for group, held in build.variables.items()
    }
    found = shapes_of(graph, variables)
    _check_shapes(graph, found)
    held = [(names.get(node, node), axis) for node, axis in build.held if node in {*kept, INPUT}]
    if takes_any_size(graph, variables, found, held):
        graph = replace(graph, any_size=True)
    model = ImportedNetwork(graph)
    return model, {group: held for group, held in variables.items() if held or group == "params"}


def needed(nodes: Sequence[Node], result: str) -> list[Node]:
    """The nodes that the result depends on; it is the last of them."""
    wanted, kept = {result}, []
    for node in reversed(nodes):
        if node.name in wanted:
            wanted.update(node.inputs)
            kept.append(node)
    return kept[::-1]


def _names(nodes: Sequence[Node], outputs: Sequence[Output]) -> dict[str, str]:
    """A new name for each node."""
    ends: dict[str, list[Output]] = {}
    for output in outputs:
        ends.setdefault(output.value.node, []).append(output)
    of_outputs = {output.name: output.value.node for output in outputs}
    names, taken = {}, {*RESERVED, *(node.name for node in nodes)}
    for node in nodes:
        name = node.name
        if of_outputs.get(name, name) != name:
            # A module whose own weights are used first, and that ends with something else.
            kind = describe(node.operation).kind.replace(" ", "_")
            name = free_name(f"{name}.{kind}", taken)
            taken.remove(node.name)
            taken.add(name)
        names[node.name] = name
    for node in nodes:
        if describe(node.operation).holds_weights:
            continue
        given = sorted(ends.get(node.name, []), key=lambda output: not output.is_block)
        free = [output.name for output in given if output.name not in taken]
        if free:
            taken.add(free[0])
            names[node.name] = free[0]
    return names


_FEW = 8
"""Fewer modules than this do not tell the depth."""


def _outermost(outputs: Sequence[Output], order: Mapping[str, int]) -> tuple[str, ...]:
    """The modules that lie in no other, in depth order, opened where there are few of them.

    Args:
        outputs: of modules.
        order: the place of each node in the graph.
    """
    place = {output.name: order[output.value.node] for output in outputs}
    shown = [name for name in place if "." not in name]
    while len(shown) < _FEW:
        inner = {
            name: [other for other in place if other.rpartition(".")[0] == name] for name in shown
        }
        if not any(inner.values()):
            break
        shown = [part for name in shown for part in (inner[name] or [name])]
    return tuple(sorted(shown, key=place.__getitem__))


def _arrays(leaves: Any) -> Any:
    def ours(array: np.ndarray) -> jax.Array:
        wanted = jnp.promote_types(array.dtype, jnp.float32)
        return jnp.asarray(array, jax.dtypes.canonicalize_dtype(wanted))

    return jax.tree.map(ours, leaves)


def _check_shapes(graph: Graph, found: dict[str, tuple[int, ...]]) -> None:
    """That each activation has the shape that the source's has."""
    values = dict(graph.values)
    for node in graph.nodes:
        value = values[node.name]
        expected = (2 if value.batched else 1, *value.stored)
        if found[node.name] != expected:
            raise ValueError(
                f"{graph.source} gives {[*expected]} at {node.name} and the imported graph"
                f" {[*found[node.name]]}: a fault of the importer; please report it"
            )
