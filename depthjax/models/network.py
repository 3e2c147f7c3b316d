"""A network as data: named operations in depth order, and the Linen module that runs them.

Because the graph is data, everything else follows from it without a second description of the
network: the names of the layers, evaluation that stops at a layer (and skips what that layer does
not depend on), frozen-weight rewrites, and the exact accounting of what each operation loses.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
from flax import errors
from jaxtyping import Array, Float

from depthjax.errors import unknown
from depthjax.models.operations.description import describe
from depthjax.typing import Inputs, Variables

INPUT = "input"

RESERVED = {INPUT: "the images", "params": "Flax's dict of all weights"}
"""Names that no operation can have, and what has them."""

Operation = nn.Module | Callable[..., Array]
"""An unbound Linen module (it may hold parameters) or a pure function of its inputs."""


class Node(NamedTuple):
    """One operation of the graph: `name = operation(*inputs)`."""

    name: str
    operation: Operation
    inputs: tuple[str, ...]


class GraphBuilder:
    """Collects nodes; calling it adds one and returns its name, to be fed to the next.

    >>> net = GraphBuilder()
    >>> x = net("relu", nn.relu, INPUT)
    >>> x
    'relu'
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = []

    def __call__(self, name: str, operation: Operation, *inputs: str) -> str:
        """Adds `name = operation(*inputs)` and returns `name`."""
        self.nodes.append(Node(name, operation, inputs))
        return name


class Network(nn.Module):
    """Base of every model here: a Linen module whose forward pass walks its graph.

    Subclasses define `graph()` and may define `aliases()`. Parameters live under the flat name of
    their operation, `variables["params"]["layer1.0.conv1"]["kernel"]`, which is torchvision's.
    A field may be a Linen module, made with `parent=None`.
    """

    def graph(self) -> tuple[Node, ...]:
        """The operations in depth order; the last one is the output."""
        raise NotImplementedError(f"{type(self).__name__} must define graph()")

    def aliases(self) -> dict[str, str]:
        """Other names for the nodes of the graph (the paper's, torchvision's)."""
        return {}

    def weight_names(self) -> dict[tuple[str, str], str]:
        """Names in state dicts, by node and leaf, where they are not made of these."""
        return {}

    def other_names(self) -> dict[str, str]:
        """The first name in state dicts of each further name that a shared weight has there."""
        return {}

    def stages(self) -> tuple[str, ...]:
        """The layers that tell the network's depth at a glance."""
        return layer_names(self)

    @property
    def is_ours(self) -> bool:
        """Whether it is one of this package's, whose prepared form is tested."""
        return type(self).__module__.split(".")[0] == __name__.split(".")[0]

    @property
    def own_size(self) -> tuple[int, int]:
        """Height and width to trace it at: of its field `image_size`, or 224×224 without one."""
        size = getattr(self, "image_size", None) or 224
        return (size, size) if isinstance(size, int) else (size[0], size[1])

    def check_images(self, images: Inputs) -> None:
        """Refuses images that the network cannot take, for networks that hold a size."""

    @nn.compact
    def __call__(
        self,
        images: Inputs,
        *,
        train: bool = False,
        until: str | None = None,
        start: str = INPUT,
    ) -> tuple[Float[Array, "batch *features"], dict[str, Array]]:
        """The output and the activations of every operation on the way to it.

        Args:
            images: `[B, H, W, C]`, pixels in [0, 1]; or the activation of `start`.
            train: BatchNorm uses and updates batch statistics, dropout drops.
            until: stop at this node; only what it depends on is traced. Default: the whole network.
            start: begin after this node.

        Returns:
            The activation of the last operation evaluated, and all of them by name.

        Raises:
            ValueError: if weights are missing, if they or the network do not fit the images, or an
                activation becomes empty.
        """
        if start == INPUT:
            self.check_images(images)
        values: dict[str, Array] = {start: images}
        # A bound module does not hash, nor does one that holds bound modules in its fields.
        definition = self.clone(parent=None, name=None, _deep_clone=True, _reset_names=True)
        output = until or node_names(definition)[-1]
        for node in needed_nodes(definition, output, start):
            inputs = [values[name] for name in node.inputs]
            values[node.name] = self._apply(node, inputs, train)
            if 0 in values[node.name].shape:
                size = "×".join(map(str, images.shape[1:3]))
                raise ValueError(
                    f"images of {size} are too small: nothing is left of them after"
                    f" {node.name}; use larger images or a layer before it"
                )
        del values[start]
        return values[output], values

    def _apply(self, node: Node, inputs: list[Array], train: bool) -> Array:
        operation, description = node.operation, describe(node.operation)
        if not isinstance(operation, nn.Module):
            return description.call(operation, inputs, train)
        bound = self._bound(node.name, operation)
        wrong = description.check_inputs(bound.variables, inputs[0]) if inputs else ""
        if wrong:
            raise ValueError(f"{node.name} {wrong}")
        try:
            return description.call(bound, inputs, train)
        except (errors.ScopeCollectionNotFound, errors.ScopeParamNotFoundError) as error:
            raise ValueError(
                f"the variables lack those of {node.name}; give all that init_variables or"
                " load_weights returned, {'params': …, 'batch_stats': …}, of this network"
            ) from error

    def _bound(self, name: str, operation: nn.Module) -> nn.Module:
        """The operation with its variables under its name."""
        field = getattr(self, name, None)
        if not isinstance(field, nn.Module):
            return operation.copy(parent=self, name=name)
        # Flax has bound the field already, under the same name.
        if field.clone(parent=None, name=None) != operation.clone(parent=None, name=None):
            raise ValueError(
                f"the operation {name} of {type(self).__name__} is another module than the field of"
                " that name; give the operation another name"
            )
        return field


def check_network(model: Any) -> None:
    """Refuses a module or a function that has no graph of ours."""
    if not isinstance(model, Network):
        raise ValueError(
            f"{type(model).__name__} is no depthjax Network, so it has no named layers; give a"
            " function (variables, images) -> embedding in place of the Layer, such as lambda"
            " variables, images: model.apply(variables, images), and the variables of its own init"
        )


@functools.cache
def graph_of(network: Network) -> tuple[Node, ...]:
    """The graph of a network, built once for each distinct network; its names are checked."""
    check_network(network)
    try:
        nodes = network.graph()
    except AssertionError as error:
        if not _raised_by_flax(error):
            raise
        raise ValueError(
            f"{type(network).__name__}.graph() makes a Linen module without parent=None; make it as"
            " nn.Conv(…, parent=None): it is adopted when the network runs"
        ) from None
    names = [node.name for node in nodes]
    if len(set(names)) != len(names):
        raise ValueError(f"{type(network).__name__} has two operations of one name")
    for name in filter(RESERVED.__contains__, names):
        raise ValueError(
            f"{type(network).__name__} has an operation {name!r}, the name of {RESERVED[name]};"
            " give it another name"
        )
    return nodes


def _raised_by_flax(error: BaseException) -> bool:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and "flax" in trace.tb_frame.f_globals.get("__name__", "")


@functools.cache
def needed_nodes(network: Network, output: str, start: str = INPUT) -> tuple[Node, ...]:
    """The nodes that `output` depends on given `start`, `output` included, in depth order.

    Raises:
        ValueError: if `output` depends on the input in another way than through `start`.
    """
    wanted = {output}
    kept: list[Node] = []
    for node in reversed(graph_of(network)):
        if node.name in wanted and node.name != start:
            wanted.update(node.inputs)
            kept.append(node)
    if start != INPUT and (not kept or start not in wanted or INPUT in wanted):
        choices = _separators(network, output)
        raise ValueError(
            f"{output} is no function of {start} alone in {type(network).__name__};"
            f" begin at one of {', '.join(choices) or 'none: only the images determine it'}"
        )
    return tuple(reversed(kept))


def _separators(network: Network, output: str) -> list[str]:
    """The nodes through which all that `output` knows of the input has passed."""
    nodes = needed_nodes(network, output)
    separators = []
    for candidate in nodes[:-1]:
        reached = {INPUT}
        for node in nodes:
            if node is not candidate and reached.intersection(node.inputs):
                reached.add(node.name)
        if output not in reached:
            separators.append(candidate.name)
    return separators


@functools.cache
def node_names(network: Network) -> tuple[str, ...]:
    """Every operation of the network, in depth order."""
    return tuple(node.name for node in graph_of(network))


def needed_variables(
    network: Network, output: str, variables: Variables, start: str = INPUT
) -> dict[str, Any]:
    """The variables that `output` depends on given `start`: hundreds of leaves cost more to
    dispatch than a shallow layer costs to run.
    """
    names = [node.name for node in needed_nodes(network, output, start)]
    return {
        collection: {name: leaves[name] for name in names if name in leaves}
        for collection, leaves in variables.items()
    }


def layer_names(network: Network, *, sublayers: bool = False) -> tuple[str, ...]:
    """The layers of a model, ordered by depth.

    Args:
        network: a model of `depthjax.models`.
        sublayers: also what lies inside the blocks (`layer3.0.conv2`).

    Returns:
        Names that `Layer` takes: `("conv1", "bn1", "relu", "maxpool", "layer1.0", …, "fc")`; none
        of weights that stand in the graph (`cls_token`), which know nothing of the images.
    """
    reached = _reached_by_images(network)
    names = tuple(name for name in node_names(network) if name in reached)
    if sublayers:
        return names
    # A block's output carries the block's name, so what lies inside it is named below it.
    known = set(names)
    return tuple(name for name in names if known.isdisjoint(_prefixes(name)))


@functools.cache
def _reached_by_images(network: Network) -> frozenset[str]:
    """The operations that depend on the images."""
    reached = {INPUT}
    for node in graph_of(network):
        if reached.intersection(node.inputs):
            reached.add(node.name)
    return frozenset(reached)


def _prefixes(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]


def resolve(network: Network, name: str) -> str:
    """The node that a layer name or alias stands for; of `layer1+layer3` those of both, joined.

    Raises:
        ValueError: for an unknown name, with the nearest ones.
    """
    if name in node_names(network):
        return name
    aliases = network.aliases()
    if name in aliases:
        return aliases[name]
    if "+" in name:
        return "+".join(resolve(network, part.strip()) for part in name.split("+"))
    known = dict.fromkeys((*layer_names(network), *aliases, *node_names(network)))
    raise unknown("layer", name, known, hint=f"of {type(network).__name__}")
