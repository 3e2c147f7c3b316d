"""From a built graph to a network: names, aliases, weights, and a check of all shapes."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from depthjax.importing.building import Builder
from depthjax.importing.network import Graph, ImportedNetwork, renamed
from depthjax.importing.values import Value
from depthjax.models.network import INPUT, Node
from depthjax.models.operations.description import describe


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


def finish(
    build: Builder,
    source: str,
    images: Value,
    result: Value,
    outputs: Sequence[Output],
    stages: Sequence[str] = (),
) -> tuple[ImportedNetwork, dict[str, Any]]:
    """The network and its variables.

    A node with weights keeps its name, which state dicts have. Any other node takes the name of the
    innermost block that ends with it, else of the module that it is; all other modules are aliases.

    Args:
        build: the graph.
        source: where it comes from.
        images: its input.
        result: its output; what that does not depend on is left out.
        outputs: of the modules, inner ones before those that hold them.
        stages: names of layers that tell the depth at a glance; by default the outermost modules.

    Returns:
        The network, and `{"params": …, "batch_stats": …}`: float64 where the source has it and x64
        is on, else float32.
    """
    if result.node == INPUT or not result.batched:
        raise ValueError(f"{source} computes nothing of its input that depends on it")
    nodes = _needed(build.nodes, result.node)
    kept = {node.name for node in nodes}
    named = [output for output in outputs if output.name and output.value.node in kept]
    names = _names(nodes, named)
    aliases = {
        output.name: names[output.value.node]
        for output in named
        if output.name not in set(names.values())
    }
    values = {names[node.name]: build.values[node.name] for node in nodes}
    values |= {output.name: output.value for output in named}
    _, channels, height, width = images.shape
    shown = tuple(dict.fromkeys(s for s in stages if s in aliases or s in names.values()))
    graph = Graph(
        source=source,
        nodes=renamed(nodes, names),
        aliases=tuple(aliases.items()),
        stages=shown or _outermost(named, aliases),
        image_shape=(height, width, channels),
        any_size=kept.isdisjoint(build.sized),
        values=tuple(values.items()),
    )
    variables = {
        group: {names[name]: _arrays(leaves) for name, leaves in held.items() if name in kept}
        for group, held in build.variables.items()
    }
    model = ImportedNetwork(graph)
    _check_shapes(model, variables)
    return model, {group: held for group, held in variables.items() if held or group == "params"}


def _needed(nodes: Sequence[Node], result: str) -> list[Node]:
    """The nodes that the result depends on; it is the last of them."""
    wanted, kept = {result}, []
    for node in reversed(nodes):
        if node.name in wanted:
            wanted.update(node.inputs)
            kept.append(node)
    return kept[::-1]


def _names(nodes: Sequence[Node], outputs: Sequence[Output]) -> dict[str, str]:
    """A new name for each node."""
    taken = {node.name for node in nodes}
    names = {node.name: node.name for node in nodes}
    candidates: dict[str, list[Output]] = {}
    for output in outputs:
        candidates.setdefault(output.value.node, []).append(output)
    for node in nodes:
        given = candidates.get(node.name, [])
        if describe(node.operation).holds_weights and getattr(node.operation, "name", "") is None:
            continue
        blocks = [output.name for output in given if output.is_block]
        leaves = [output.name for output in given if not output.is_block]
        for name in (*blocks, *leaves):
            if name not in taken:
                taken.add(name)
                names[node.name] = name
                break
    return names


def _outermost(outputs: Sequence[Output], aliases: dict[str, str]) -> tuple[str, ...]:
    """The modules that lie in no other, in order; without any all named tensors are stages."""
    first = [output.name for output in outputs if "." not in output.name]
    return tuple(dict.fromkeys(first)) or tuple(dict.fromkeys(o.name for o in outputs))


def _arrays(leaves: Any) -> Any:
    def ours(array: np.ndarray) -> jax.Array:
        wanted = jnp.promote_types(array.dtype, jnp.float32)
        return jnp.asarray(array, jax.dtypes.canonicalize_dtype(wanted))

    return jax.tree.map(ours, leaves)


def _check_shapes(model: ImportedNetwork, variables: dict[str, Any]) -> None:
    """That each activation has the shape that the source's has."""
    images = jax.ShapeDtypeStruct((2, *model.content.image_shape), jnp.float32)
    _, found = jax.eval_shape(model.apply, variables, images)
    for name, value in model.content.values:
        if name not in found:
            continue
        expected = (2 if value.batched else 1, *value.stored)
        if found[name].shape != expected:
            raise ValueError(
                f"{model.content.source} gives {[*expected]} at {name} and the imported graph"
                f" {[*found[name].shape]}: a fault of the importer; please report it"
            )
