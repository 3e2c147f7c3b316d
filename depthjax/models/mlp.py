"""Multilayer perceptrons on flattened images, linear or with ReLUs (paper, claims on width)."""

from typing import Literal

from depthjax.models.network import INPUT, GraphBuilder, Network, Node
from depthjax.models.operations import flatten, linear, relu


class MLP(Network):
    """Fully connected layers `fc1` … `fcN`, PyTorch's default initialisation.

    Fields:
        widths: the width of every layer, the output's included.
        activation: "relu" after each layer but the last, or "linear": none (the paper's).
        channels: channels of the images.
    """

    widths: tuple[int, ...] = (3000, 3000, 3000, 3000)
    activation: Literal["relu", "linear"] = "linear"
    channels: int = 3

    def graph(self) -> tuple[Node, ...]:
        """The operations in depth order."""
        net = GraphBuilder()
        x = net("flatten", flatten, INPUT)
        for index, width in enumerate(self.widths, 1):
            x = net(f"fc{index}", linear(width), x)
            if self.activation == "relu" and index < len(self.widths):
                x = net(f"relu{index}", relu, x)
        return tuple(net.nodes)

    def stages(self) -> tuple[str, ...]:
        """Every layer, after its activation where it has one."""
        names = {node.name for node in self.graph()}
        layers = range(1, len(self.widths) + 1)
        return tuple(f"relu{i}" if f"relu{i}" in names else f"fc{i}" for i in layers)
