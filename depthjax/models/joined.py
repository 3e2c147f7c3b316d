"""Several layers of a network as one: `layer1+layer3`, which ends the graph with one node more."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from depthjax.models.derived import Derived
from depthjax.models.network import Network, Node, graph_of, node_names

BETWEEN = "+"
"""What stands between the names of layers that are joined."""


def join(*activations: Float[Array, "batch ..."]) -> Float[Array, "batch features"]:
    """Activations of any shapes, one behind the other."""
    return jnp.concatenate([x.reshape(len(x), -1) for x in activations], 1)


class Joined(Derived):
    """A network with one node more, which holds the activations of several others.

    Fields:
        nodes: of that network, two or more.
    """

    nodes: tuple[str, ...]

    def graph(self) -> tuple[Node, ...]:
        """That of the network, and the node that joins."""
        return *graph_of(self.network), Node(BETWEEN.join(self.nodes), join, self.nodes)


def with_node(network: Network, node: str) -> Network:
    """The network that has a node: itself, or for `a+b` one that joins a and b.

    Raises:
        ValueError: for `a+a`.
    """
    if node in node_names(network):
        return network
    nodes = tuple(node.split(BETWEEN))
    if len(set(nodes)) < len(nodes):
        raise ValueError(f"{node} joins a layer with itself; name each layer once")
    return Joined(network.clone(parent=None), nodes)
