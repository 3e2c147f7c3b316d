"""ResNet, wide ResNet and ResNeXt (He et al. 2015; Zagoruyko & Komodakis 2016; Xie et al. 2016).

torchvision's variant: in a bottleneck the 3×3 convolution carries the stride. In the first one, He
et al.'s in Caffe, it is the 1×1 convolution before it.
"""

from typing import Literal

from depthjax.models.network import INPUT, GraphBuilder, Network, Node
from depthjax.models.operations import (
    MaxPool,
    add,
    batch_norm,
    conv,
    global_average,
    linear,
    relu,
)


class ResNet(Network):
    """A residual network; the fields make small ones too.

    Fields:
        stage_sizes: blocks in each stage.
        block: "basic" (two 3×3 convolutions) or "bottleneck" (1×1, 3×3, 1×1).
        width: features of the stem and of the first stage; they double with each stage.
        groups, width_per_group: as in torchvision; ResNeXt-50-32x4d is `groups=32,
            width_per_group=4`, wide ResNet-50-2 is `width_per_group=128`.
        expansion: of a bottleneck: its outputs over the features of its stage.
        origin: "torchvision", or "caffe": bottlenecks take their stride at once, and max pooling
            cuts its last window short instead of padding all round.
        stem: "imagenet" (7×7 convolution, stride 2, then max pooling) or "small" (3×3, stride 1,
            no pooling: for images of 32×32 or so).
        classes, channels: width of the output, channels of the images.
    """

    stage_sizes: tuple[int, ...] = (2, 2, 2, 2)
    block: Literal["basic", "bottleneck"] = "basic"
    width: int = 64
    groups: int = 1
    width_per_group: int = 64
    expansion: int = 4
    origin: Literal["torchvision", "caffe"] = "torchvision"
    stem: Literal["imagenet", "small"] = "imagenet"
    num_classes: int = 1000
    channels: int = 3

    def graph(self) -> tuple[Node, ...]:
        """The operations in depth order, under torchvision's names."""
        self._check()
        net = GraphBuilder()
        large = self.stem == "imagenet"
        x = net("conv1", conv(self.width, 7, 2) if large else conv(self.width, 3), INPUT)
        x = net("bn1", batch_norm(), x)
        x = net("relu", relu, x)
        if large:
            caffe = self.origin == "caffe"
            x = net("maxpool", MaxPool(3, 2, ceil=True) if caffe else MaxPool(3, 2, 1), x)
        add_block = self._basic if self.block == "basic" else self._bottleneck
        inputs = self.width
        for stage, blocks in enumerate(self.stage_sizes):
            planes = self.width * 2**stage
            outputs = planes if self.block == "basic" else self.expansion * planes
            for index in range(blocks):
                name = f"layer{stage + 1}.{index}"
                strides = 2 if stage > 0 and index == 0 else 1
                skip = x
                if strides != 1 or inputs != outputs:
                    skip = net(f"{name}.downsample.0", conv(outputs, 1, strides), x)
                    skip = net(f"{name}.downsample.1", batch_norm(), skip)
                x = add_block(net, name, x, planes, strides)
                x = net(f"{name}.add", add, x, skip)
                x = net(name, relu, x)
                inputs = outputs
        x = net("avgpool", global_average, x)
        net("fc", linear(self.num_classes), x)
        return tuple(net.nodes)

    def _check(self) -> None:
        """Refuses fields of bottlenecks for blocks that have none."""
        fields = {"groups": 1, "width_per_group": 64, "expansion": 4, "origin": "torchvision"}
        for field, default in fields.items():
            if self.block == "basic" and getattr(self, field) != default:
                raise ValueError(
                    f"basic blocks have no {field}: it must be {default!r}, got"
                    f" {getattr(self, field)!r}; use a model with bottleneck blocks"
                )

    def _basic(self, net: GraphBuilder, name: str, x: str, planes: int, strides: int) -> str:
        x = net(f"{name}.conv1", conv(planes, 3, strides), x)
        x = net(f"{name}.bn1", batch_norm(), x)
        x = net(f"{name}.relu", relu, x)
        x = net(f"{name}.conv2", conv(planes, 3), x)
        return net(f"{name}.bn2", batch_norm(), x)

    def _bottleneck(self, net: GraphBuilder, name: str, x: str, planes: int, strides: int) -> str:
        inner = planes * self.width_per_group // 64 * self.groups
        if inner < 1:
            raise ValueError(
                f"width {self.width} with width_per_group {self.width_per_group} leaves no features"
                f" in {name}; make one of them larger"
            )
        first, second = (strides, 1) if self.origin == "caffe" else (1, strides)
        x = net(f"{name}.conv1", conv(inner, 1, first), x)
        x = net(f"{name}.bn1", batch_norm(), x)
        x = net(f"{name}.relu", relu, x)
        x = net(f"{name}.conv2", conv(inner, 3, second, groups=self.groups), x)
        x = net(f"{name}.bn2", batch_norm(), x)
        x = net(f"{name}.relu_1", relu, x)
        x = net(f"{name}.conv3", conv(self.expansion * planes, 1), x)
        return net(f"{name}.bn3", batch_norm(), x)

    def aliases(self) -> dict[str, str]:
        """Stages by torchvision's name and the paper's: `layer1` = `conv2` = its last block."""
        names: dict[str, str] = {"stem": "maxpool" if self.stem == "imagenet" else "relu"}
        for stage, blocks in enumerate(self.stage_sizes):
            names[f"layer{stage + 1}"] = names[f"conv{stage + 2}"] = (
                f"layer{stage + 1}.{blocks - 1}"
            )
            for index in range(blocks):
                last = "relu_1" if self.block == "basic" else "relu_2"
                names[f"layer{stage + 1}.{index}.{last}"] = f"layer{stage + 1}.{index}"
        return names

    def stages(self) -> tuple[str, ...]:
        """One layer for each stage of the network, in depth order."""
        return ("conv1", *(f"layer{stage + 1}" for stage in range(len(self.stage_sizes))))
