"""VGG with and without BatchNorm (Simonyan & Zisserman 2014), torchvision's variant."""

from depthjax.models.network import INPUT, GraphBuilder, Network, Node
from depthjax.models.operations import (
    AdaptiveAveragePool,
    MaxPool,
    batch_norm,
    conv,
    dropout,
    flatten,
    linear,
    relu,
)


class VGG(Network):
    """Stages of 3×3 convolutions, each ended by max pooling, and three fully connected layers.

    Fields:
        stage_sizes: convolutions in each stage.
        batch_norm: BatchNorm after each convolution.
        width: features of the first stage; they double with each stage up to `8 × width`.
        hidden: width of the two hidden fully connected layers.
        num_classes, channels: width of the output, channels of the images.
        pooled_size: the features are averaged to this size before the classifier, whatever the
            size of the images.
        dropout: whether half of the hidden features are dropped in training.
    """

    stage_sizes: tuple[int, ...] = (2, 2, 3, 3, 3)
    batch_norm: bool = False
    width: int = 64
    hidden: int = 4096
    num_classes: int = 1000
    channels: int = 3
    pooled_size: int = 7
    dropout: bool = True

    def graph(self) -> tuple[Node, ...]:
        """The operations in depth order, under torchvision's names (`features.0` …)."""
        net, rate = GraphBuilder(), 0.5 if self.dropout else 0.0
        x, index = INPUT, 0
        for stage, convolutions in enumerate(self.stage_sizes):
            for _ in range(convolutions):
                features = self.width * min(2**stage, 8)
                x = net(f"features.{index}", conv(features, 3, bias=True), x)
                if self.batch_norm:
                    x = net(f"features.{index + 1}", batch_norm(), x)
                x = net(f"features.{index + 1 + self.batch_norm}", relu, x)
                index += 2 + self.batch_norm
            x = net(f"features.{index}", MaxPool(2, 2), x)
            index += 1
        x = net("avgpool", AdaptiveAveragePool(self.pooled_size), x)
        x = net("flatten", flatten, x)
        x = net("classifier.0", linear(self.hidden, std=0.01), x)
        x = net("classifier.1", relu, x)
        x = net("classifier.2", dropout(rate), x)
        x = net("classifier.3", linear(self.hidden, std=0.01), x)
        x = net("classifier.4", relu, x)
        x = net("classifier.5", dropout(rate), x)
        net("classifier.6", linear(self.num_classes, std=0.01), x)
        return tuple(net.nodes)

    def aliases(self) -> dict[str, str]:
        """`conv1_1`, `bn1_1`, `relu1_1`, `pool1`; stages `conv1` … `conv5` end with their ReLU."""
        names: dict[str, str] = {}
        index = 0
        for stage, convolutions in enumerate(self.stage_sizes, 1):
            for position in range(1, convolutions + 1):
                names[f"conv{stage}_{position}"] = f"features.{index}"
                if self.batch_norm:
                    names[f"bn{stage}_{position}"] = f"features.{index + 1}"
                names[f"relu{stage}_{position}"] = f"features.{index + 1 + self.batch_norm}"
                index += 2 + self.batch_norm
            names[f"conv{stage}"] = f"features.{index - 1}"
            names[f"pool{stage}"] = f"features.{index}"
            index += 1
        names["features"] = f"features.{index - 1}"
        names |= {"fc1": "classifier.0", "fc2": "classifier.3", "fc3": "classifier.6"}
        names["classifier"] = "classifier.6"
        return names

    def stages(self) -> tuple[str, ...]:
        """One layer for each stage of the network, in depth order."""
        return tuple(f"conv{stage + 1}" for stage in range(len(self.stage_sizes)))
