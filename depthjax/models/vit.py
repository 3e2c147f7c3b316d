"""Vision transformers (Dosovitskiy et al. 2021), timm's variant."""

from depthjax.models.initializers import uniform_fan_in
from depthjax.models.network import INPUT, GraphBuilder, Network, Node
from depthjax.models.operations import (
    ClassToken,
    PositionEmbedding,
    SelfAttention,
    add,
    conv,
    first_token,
    gelu,
    layer_norm,
    linear,
)
from depthjax.models.operations.shaping import Reshape
from depthjax.typing import Inputs

_EPSILON = 1e-6


class ViT(Network):
    """Patches as tokens, blocks of attention and two fully connected layers, a class token.

    It holds a vector for each patch's position, and takes images of one size only.

    Fields:
        image_size: height and width of the images.
        patch: height and width of a patch.
        width: channels of a token.
        depth: blocks.
        heads: of attention; they share the channels.
        num_classes, channels: width of the output, channels of the images.
    """

    image_size: int = 224
    patch: int = 16
    width: int = 192
    depth: int = 12
    heads: int = 3
    num_classes: int = 1000
    channels: int = 3

    def graph(self) -> tuple[Node, ...]:
        """The operations in depth order, under timm's names."""
        side, rest = divmod(self.image_size, self.patch)
        if rest or not side:
            raise ValueError(
                f"image_size {self.image_size} is no multiple of patch {self.patch}; make it one"
            )
        if self.width % self.heads:
            raise ValueError(
                f"width {self.width} is no multiple of heads {self.heads}; make it one"
            )
        net = GraphBuilder()
        default = uniform_fan_in(self.patch**2 * self.channels)
        patches = conv(
            *(self.width, self.patch, self.patch),
            bias=True,
            padding=0,
            kernel_init=default,
            bias_init=default,
        )
        x = net("patch_embed.proj", patches, INPUT)
        x = net("patch_embed", Reshape((side**2, self.width)), x)
        x = net("cls_token", ClassToken(parent=None), x)
        x = net("pos_embed", PositionEmbedding(parent=None), x)
        for index in range(self.depth):
            x = self._add_block(net, f"blocks.{index}", x)
        x = net("norm", layer_norm(_EPSILON), x)
        x = net("fc_norm", first_token, x)
        net("head", linear(self.num_classes, std=0.02), x)
        return tuple(net.nodes)

    def _add_block(self, net: GraphBuilder, name: str, skip: str) -> str:
        # Theirs is truncated at ±2, which is a hundred standard deviations.
        x = net(f"{name}.norm1", layer_norm(_EPSILON), skip)
        x = net(f"{name}.attn.qkv", linear(3 * self.width, std=0.02), x)
        x = net(f"{name}.attn.heads", SelfAttention(self.heads), x)
        x = net(f"{name}.attn.proj", linear(self.width, std=0.02), x)
        skip = net(f"{name}.add", add, x, skip)
        x = net(f"{name}.norm2", layer_norm(_EPSILON), skip)
        x = net(f"{name}.mlp.fc1", linear(4 * self.width, std=0.02), x)
        x = net(f"{name}.mlp.act", gelu, x)
        x = net(f"{name}.mlp.fc2", linear(self.width, std=0.02), x)
        return net(name, add, x, skip)

    def check_images(self, images: Inputs) -> None:
        """Refuses images of another size, for which there are no positions.

        Raises:
            ValueError: for these.
        """
        height, width = images.shape[1:3]
        if (height, width) != (self.image_size, self.image_size):
            raise ValueError(
                f"this ViT takes images of {self.image_size}×{self.image_size}, got"
                f" {height}×{width}; resize them, or build it with image_size={height}"
            )

    def aliases(self) -> dict[str, str]:
        """What is made of several operations has the name of the last, as in timm."""
        names = {"pos_drop": "pos_embed", "norm_pre": "pos_embed", "head_drop": "fc_norm"}
        for index in range(self.depth):
            name = f"blocks.{index}"
            names[f"{name}.attn.norm"] = f"{name}.attn.heads"
            names[f"{name}.attn"] = f"{name}.attn.proj"
            names[f"{name}.mlp"] = f"{name}.mlp.fc2"
        return names

    def stages(self) -> tuple[str, ...]:
        """The patches, and four blocks (or all, of fewer) at even distances, in depth order."""
        ends = {self.depth * quarter // 4 - 1 for quarter in range(1, 5)}
        return ("patch_embed", *(f"blocks.{end}" for end in sorted(ends) if end >= 0))
