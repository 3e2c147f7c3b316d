"""Several layers of a network as one: `layer1+layer3`, which ends the graph with one node more."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from depthjax.models.network import Network, Node, graph_of, node_names
from depthjax.typing import Inputs

BETWEEN = "+"
"""What stands between the names of layers that are joined."""


def join(*activations: Float[Array, "batch ..."]) -> Float[Array, "batch features"]:
    """Activations of any shapes, one behind the other."""
    return jnp.concatenate([x.reshape(len(x), -1) for x in activations], 1)


class Joined(Network):
    """A network with one node more, which holds the activations of several others.

    Its weights are those of the network.

    Fields:
        network: any other.
        nodes: of that network, two or more.
    """

    network: Network
    nodes: tuple[str, ...]

    def graph(self) -> tuple[Node, ...]:
        """That of the network, and the node that joins."""
        return *graph_of(self.network), Node(BETWEEN.join(self.nodes), join, self.nodes)

    def aliases(self) -> dict[str, str]:
        """Those of the network."""
        return self.network.aliases()

    def weight_names(self) -> dict[tuple[str, str], str]:
        """Those of the network."""
        return self.network.weight_names()

    def stages(self) -> tuple[str, ...]:
        """Those of the network."""
        return self.network.stages()

    @property
    def is_ours(self) -> bool:
        """Whether the network is."""
        return self.network.is_ours

    @property
    def channels(self) -> int | None:
        """Of the images that the network takes, if it says so."""
        return getattr(self.network, "channels", None)

    def check_images(self, images: Inputs) -> None:
        """Refuses images that the network cannot take."""
        self.network.check_images(images)


def with_node(network: Network, node: str) -> Network:
    """The network that has a node: itself, or for `a+b` one that joins a and b."""
    if node in node_names(network):
        return network
    return Joined(network.clone(parent=None), tuple(node.split(BETWEEN)))
