"""Multilayer perceptrons on flattened images: linear, or with an activation after each layer."""

from typing import Literal

from depthjax.models.network import INPUT, GraphBuilder, Network, Node, Operation
from depthjax.models.operations import Elementwise, LeakyReLU, flatten, linear, relu

LEAKY_SLOPE = 0.1
"""Of `activation="leaky_relu"`: far enough from 0 that its inverse is well conditioned."""

ACTIVATIONS: dict[str, Operation] = {
    "relu": relu,
    "leaky_relu": LeakyReLU(LEAKY_SLOPE),
    "tanh": Elementwise("tanh"),
    "sigmoid": Elementwise("sigmoid"),
}
"""By name; "linear" is none."""


class MLP(Network):
    """Fully connected layers `fc1` … `fcN`, PyTorch's default initialisation.

    Fields:
        widths: the width of every layer, the output's included.
        activation: "relu", "leaky_relu" (of slope 0.1), "tanh" or "sigmoid" after each layer but
            the last, or "linear": none (the paper's). But with ReLUs, layers as wide as their
            inputs lose nothing.
        channels: channels of the images.
    """

    widths: tuple[int, ...] = (3000, 3000, 3000, 3000)
    activation: Literal["relu", "leaky_relu", "tanh", "sigmoid", "linear"] = "linear"
    channels: int = 3

    def graph(self) -> tuple[Node, ...]:
        """The operations in depth order."""
        net = GraphBuilder()
        x = net("flatten", flatten, INPUT)
        for index, width in enumerate(self.widths, 1):
            x = net(f"fc{index}", linear(width), x)
            if self.activation in ACTIVATIONS and index < len(self.widths):
                x = net(f"{self.activation}{index}", ACTIVATIONS[self.activation], x)
        return tuple(net.nodes)

    def stages(self) -> tuple[str, ...]:
        """Every layer, after its activation where it has one."""
        names = {node.name for node in self.graph()}
        layers = range(1, len(self.widths) + 1)
        after = self.activation
        return tuple(f"{after}{i}" if f"{after}{i}" in names else f"fc{i}" for i in layers)
