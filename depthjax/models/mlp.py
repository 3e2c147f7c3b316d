"""Multilayer perceptrons on flattened images: linear, with ReLUs or with leaky ones."""

from typing import Literal

from depthjax.models.network import INPUT, GraphBuilder, Network, Node, Operation
from depthjax.models.operations import LeakyReLU, flatten, linear, relu

LEAKY_SLOPE = 0.1
"""Of `activation="leaky_relu"`: far enough from 0 that its inverse is well conditioned."""

_ACTIVATIONS: dict[str, Operation] = {"relu": relu, "leaky_relu": LeakyReLU(LEAKY_SLOPE)}


class MLP(Network):
    """Fully connected layers `fc1` … `fcN`, PyTorch's default initialisation.

    Fields:
        widths: the width of every layer, the output's included.
        activation: "relu" or "leaky_relu" (of slope 0.1) after each layer but the last, or
            "linear": none (the paper's). With leaky ReLUs or none, layers as wide as their inputs
            lose nothing.
        channels: channels of the images.
    """

    widths: tuple[int, ...] = (3000, 3000, 3000, 3000)
    activation: Literal["relu", "leaky_relu", "linear"] = "linear"
    channels: int = 3

    def graph(self) -> tuple[Node, ...]:
        """The operations in depth order."""
        net = GraphBuilder()
        x = net("flatten", flatten, INPUT)
        for index, width in enumerate(self.widths, 1):
            x = net(f"fc{index}", linear(width), x)
            if self.activation in _ACTIVATIONS and index < len(self.widths):
                x = net(f"{self.activation}{index}", _ACTIVATIONS[self.activation], x)
        return tuple(net.nodes)

    def stages(self) -> tuple[str, ...]:
        """Every layer, after its activation where it has one."""
        names = {node.name for node in self.graph()}
        layers = range(1, len(self.widths) + 1)
        after = self.activation
        return tuple(f"{after}{i}" if f"{after}{i}" in names else f"fc{i}" for i in layers)
