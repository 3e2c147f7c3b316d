"""ConvNeXt (Liu et al. 2022), timm's variant."""

from depthjax.models.initializers import normal
from depthjax.models.network import INPUT, GraphBuilder, Network, Node
from depthjax.models.operations import (
    LayerScale,
    add,
    conv,
    gelu,
    global_average,
    layer_norm,
    linear,
)

# Theirs is truncated at ±2, which is a hundred standard deviations.
_INITIAL = normal(0.02)
_EPSILON = 1e-6


class ConvNeXt(Network):
    """Stages of residual blocks: depthwise 7×7, LayerNorm, and two fully connected layers.

    Fields:
        stage_sizes: blocks in each stage.
        widths: features of each stage.
        num_classes, channels: width of the output, channels of the images.
    """

    stage_sizes: tuple[int, ...] = (3, 3, 9, 3)
    widths: tuple[int, ...] = (96, 192, 384, 768)
    num_classes: int = 1000
    channels: int = 3

    def graph(self) -> tuple[Node, ...]:
        """The operations in depth order, under timm's names."""
        if len(self.stage_sizes) != len(self.widths):
            raise ValueError(
                "stage_sizes and widths must have one number for each stage, got"
                f" {self.stage_sizes} and {self.widths}"
            )
        net = GraphBuilder()
        patches = conv(self.widths[0], 4, 4, bias=True, padding=0, kernel_init=_INITIAL)
        x = net("stem.0", patches, INPUT)
        x = net("stem.1", layer_norm(_EPSILON), x)
        for stage, (blocks, width) in enumerate(zip(self.stage_sizes, self.widths, strict=True)):
            if stage > 0:
                halving = conv(width, 2, 2, bias=True, padding=0, kernel_init=_INITIAL)
                x = net(f"stages.{stage}.downsample.0", layer_norm(_EPSILON), x)
                x = net(f"stages.{stage}.downsample.1", halving, x)
            for index in range(blocks):
                x = _add_block(net, f"stages.{stage}.blocks.{index}", x, width)
        x = net("head.global_pool", global_average, x)
        x = net("head.norm", layer_norm(_EPSILON), x)
        net("head.fc", linear(self.num_classes, std=0.02), x)
        return tuple(net.nodes)

    def aliases(self) -> dict[str, str]:
        """What is made of several operations has the name of the last, as in timm."""
        names = {"stem": "stem.1", "head.flatten": "head.norm", "head": "head.fc"}
        for stage, blocks in enumerate(self.stage_sizes):
            name = f"stages.{stage}"
            names[name] = names[f"{name}.blocks"] = f"{name}.blocks.{blocks - 1}"
            if stage > 0:
                names[f"{name}.downsample"] = f"{name}.downsample.1"
            for index in range(blocks):
                names[f"{name}.blocks.{index}.mlp"] = f"{name}.blocks.{index}.mlp.fc2"
        return names

    def stages(self) -> tuple[str, ...]:
        """One layer for each stage of the network, in depth order."""
        return ("stem", *(f"stages.{stage}" for stage in range(len(self.stage_sizes))))


def _add_block(net: GraphBuilder, name: str, skip: str, width: int) -> str:
    depthwise = conv(width, 7, groups=width, bias=True, kernel_init=_INITIAL)
    x = net(f"{name}.conv_dw", depthwise, skip)
    x = net(f"{name}.norm", layer_norm(_EPSILON), x)
    x = net(f"{name}.mlp.fc1", linear(4 * width, std=0.02), x)
    x = net(f"{name}.mlp.act", gelu, x)
    x = net(f"{name}.mlp.fc2", linear(width, std=0.02), x)
    x = net(f"{name}.gamma", LayerScale(parent=None), x)
    return net(name, add, x, skip)
