"""EfficientNet-Lite (Tan & Le 2019; TensorFlow's `efficientnet/lite`, 2020), timm's variant.

EfficientNet without squeeze-and-excitation, and with ReLU6 for SiLU: networks for phones.
"""

import math
from typing import Any, Literal

import flax.linen as nn

from depthjax.models.initializers import normal_fan_out
from depthjax.models.network import INPUT, GraphBuilder, Network, Node
from depthjax.models.operations import (
    BatchNorm,
    add,
    batch_norm,
    conv,
    global_average,
    identity,
    linear,
    relu6,
)
from depthjax.models.operations.shared import torch_name

_KERNELS = (3, 3, 5, 3, 5, 5, 3)
_STRIDES = (1, 2, 2, 2, 1, 2, 1)
_EXPANSION = 6


class EfficientNetLite(Network):
    """Stages of inverted residual blocks: 1×1 to 6× the features, depthwise, 1×1 back.

    The blocks of the first stage do not expand. As in timm, `bn1` is what comes after BatchNorm and
    ReLU6; `bn1.norm` is what comes between them.

    Fields:
        stage_sizes: blocks in each stage, of at most seven stages.
        widths: features of each stage.
        stem_width, head_width: features of the first and of the last convolution.
        origin: "tensorflow" (padding "SAME", ε = 1e-3: timm's `tf_efficientnet_lite…`, and most
            trained weights) or "pytorch" (the same padding on every side, ε = 1e-5).
        num_classes, channels: width of the output, channels of the images.
    """

    stage_sizes: tuple[int, ...] = (1, 2, 2, 3, 3, 4, 1)
    widths: tuple[int, ...] = (16, 24, 40, 80, 112, 192, 320)
    stem_width: int = 32
    head_width: int = 1280
    origin: Literal["tensorflow", "pytorch"] = "tensorflow"
    num_classes: int = 1000
    channels: int = 3

    def graph(self) -> tuple[Node, ...]:
        """The operations in depth order, under timm's names."""
        if len(self.stage_sizes) != len(self.widths) or len(self.widths) > len(_KERNELS):
            raise ValueError(
                f"stage_sizes and widths must have one number for each of at most {len(_KERNELS)}"
                f" stages, got {self.stage_sizes} and {self.widths}"
            )
        net = GraphBuilder()
        x = net("conv_stem", self._conv(self.stem_width, 3, 2), INPUT)
        x = self._add_norm_and_gate(net, "bn1", x)
        inputs = self.stem_width
        for stage, (blocks, outputs) in enumerate(zip(self.stage_sizes, self.widths, strict=True)):
            for index in range(blocks):
                strides = _STRIDES[stage] if index == 0 else 1
                name, skip = f"blocks.{stage}.{index}", x
                x = self._branch(net, name, x, inputs, strides)
                if strides == 1 and inputs == outputs:
                    x = net(name, add, x, skip)
                else:
                    x = net(name, identity, x)
                inputs = outputs
        x = net("conv_head", self._conv(self.head_width, 1), x)
        x = self._add_norm_and_gate(net, "bn2", x)
        x = net("global_pool", global_average, x)
        net("classifier", linear(self.num_classes, bound=self.num_classes**-0.5), x)
        return tuple(net.nodes)

    def _branch(self, net: GraphBuilder, name: str, x: str, inputs: int, strides: int) -> str:
        stage = int(name.split(".")[1])
        inner = inputs * _EXPANSION if stage else inputs
        depthwise = self._conv(inner, _KERNELS[stage], strides, groups=inner)
        projection = self._conv(self.widths[stage], 1)
        if stage:
            expansion = self._conv(inner, 1)
            steps = {"conv_pw": expansion, "conv_dw": depthwise, "conv_pwl": projection}
        else:
            steps = {"conv_dw": depthwise, "conv_pw": projection}
        for number, (step, operation) in enumerate(steps.items(), 1):
            x = net(f"{name}.{step}", operation, x)
            if number < len(steps):
                x = self._add_norm_and_gate(net, f"{name}.bn{number}", x)
        return net(f"{name}.bn{len(steps)}", self._norm(), x)

    def _add_norm_and_gate(self, net: GraphBuilder, name: str, x: str) -> str:
        x = net(f"{name}.norm", self._norm(), x)
        return net(name, relu6, x)

    def _conv(self, features: int, kernel: int, strides: int = 1, groups: int = 1) -> nn.Conv:
        padding = "SAME" if self.origin == "tensorflow" and strides > 1 else None
        init = normal_fan_out(groups)
        return conv(features, kernel, strides, groups=groups, padding=padding, kernel_init=init)

    def _norm(self) -> BatchNorm:
        return batch_norm(1e-3 if self.origin == "tensorflow" else 1e-5)

    def aliases(self) -> dict[str, str]:
        """Stages by timm's name: `blocks.3` is its last block; `bn1.act` is `bn1`."""
        names = {"stem": "bn1"}
        for stage, blocks in enumerate(self.stage_sizes):
            names[f"blocks.{stage}"] = f"blocks.{stage}.{blocks - 1}"
        for node in self.graph():
            if node.operation is relu6:
                names[f"{node.name}.act"] = node.name
        return names

    def weight_names(self) -> dict[tuple[str, str], str]:
        """Timm's names of what `bn1.norm` holds are those of `bn1`."""
        norms = [node.name for node in self.graph() if node.name.endswith(".norm")]
        return {
            (norm, leaf): f"{norm.removesuffix('.norm')}.{torch_name((leaf,))}"
            for norm in norms
            for leaf in ("scale", "bias", "mean", "var")
        }

    def stages(self) -> tuple[str, ...]:
        """One layer for each stage of the network, in depth order."""
        return ("stem", *(f"blocks.{stage}" for stage in range(len(self.stage_sizes))), "bn2")


def scaled(width: float, depth: float) -> dict[str, Any]:
    """The fields of an EfficientNet-Lite scaled up, as Tan & Le scale.

    Args:
        width: factor of the widths, rounded to multiples of 8, and not down by more than a tenth.
        depth: factor of the numbers of blocks, rounded up; the first and the last stage stay.

    Returns:
        `stage_sizes` and `widths`.
    """
    plain = EfficientNetLite()
    widths = []
    for features in plain.widths:
        wanted = width * features
        rounded = max(8, int(wanted + 4) // 8 * 8)
        widths.append(rounded + 8 if rounded < 0.9 * wanted else rounded)
    first, *middle, last = plain.stage_sizes
    sizes = (first, *(math.ceil(depth * blocks) for blocks in middle), last)
    return {"stage_sizes": sizes, "widths": tuple(widths)}
