"""An invertible network: every block keeps all there is to know of the images.

i-RevNet (Jacobsen, Smeulders & Oyallon 2018, "i-RevNet: deep invertible networks") with additive
coupling (Dinh, Krueger & Bengio 2015, "NICE"). Whatever descent misses of an image at such a layer,
the layer has not lost: the control beside networks that pool and stride.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from depthjax.devices.precision import matmul_precision
from depthjax.errors import one_of
from depthjax.models.network import (
    INPUT,
    GraphBuilder,
    Network,
    Node,
    graph_of,
    layer_names,
    needed_variables,
    resolve,
)
from depthjax.models.operations import add, conv, global_average, linear, relu
from depthjax.typing import Embedding, Images, Variables


class IRevNet(Network):
    """Stages of additive couplings; a stage begins by trading height and width for channels.

    A block splits its channels into halves (x₁, x₂) and returns (x₂, x₁ + F(x₂)), where F is a 3×3
    convolution, a ReLU and a 3×3 convolution. So x₁ = y₂ − F(y₁) and x₂ = y₁, whatever F is. Every
    block has as many elements as the image; sides must be multiples of 2^stages. Only the
    classifier, an average and a fully connected layer, loses any.

    Fields:
        blocks: couplings in each stage.
        width: features within F in the first stage; they double with each stage.
        num_classes, channels: width of the output, channels of the images.
    """

    blocks: tuple[int, ...] = (2, 2)
    width: int = 32
    num_classes: int = 1000
    channels: int = 3

    def graph(self) -> tuple[Node, ...]:
        """The operations in depth order: `squeeze1`, `layer1.0`, …, `avgpool`, `fc`."""
        net = GraphBuilder()
        x, features = INPUT, self.channels
        for stage, blocks in enumerate(self.blocks):
            x, features = net(f"squeeze{stage + 1}", space_to_depth, x), 4 * features
            for index in range(blocks):
                name = f"layer{stage + 1}.{index}"
                left = net(f"{name}.left", _left, x)
                right = net(f"{name}.right", _right, x)
                y = net(f"{name}.conv1", conv(self.width * 2**stage, 3, bias=True), right)
                y = net(f"{name}.relu", relu, y)
                y = net(f"{name}.conv2", conv(features // 2, 3, bias=True), y)
                y = net(f"{name}.add", add, left, y)
                x = net(name, _join, right, y)
        x = net("avgpool", global_average, x)
        net("fc", linear(self.num_classes), x)
        return tuple(net.nodes)

    def aliases(self) -> dict[str, str]:
        """Stages by name: `layer1` is its last block."""
        return {
            f"layer{s + 1}": f"layer{s + 1}.{blocks - 1}" for s, blocks in enumerate(self.blocks)
        }

    def stages(self) -> tuple[str, ...]:
        """One layer for each stage of the network, in depth order."""
        return tuple(f"layer{stage + 1}" for stage in range(len(self.blocks)))


def space_to_depth(x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 c4"]:
    """`[B, H, W, C]` -> `[B, H/2, W/2, 4C]`: each 2×2 square becomes one position, row by row.

    Raises:
        ValueError: for an odd height or width.
    """
    batch, height, width, channels = x.shape
    if height % 2 or width % 2:
        raise ValueError(
            f"{height}×{width} positions cannot be halved; use images whose height and width are"
            " multiples of 2 for every stage of the network (of 4 for two)"
        )
    squares = x.reshape(batch, height // 2, 2, width // 2, 2, channels)
    return squares.transpose(0, 1, 3, 2, 4, 5).reshape(batch, height // 2, width // 2, -1)


def depth_to_space(x: Float[Array, "b h2 w2 c4"]) -> Float[Array, "b h w c"]:
    """`[B, H, W, 4C]` -> `[B, 2H, 2W, C]`, the inverse of `space_to_depth`."""
    batch, height, width, channels = x.shape
    squares = x.reshape(batch, height, width, 2, 2, channels // 4)
    return squares.transpose(0, 1, 3, 2, 4, 5).reshape(batch, 2 * height, 2 * width, -1)


def _left(x: Float[Array, "b h w c"]) -> Float[Array, "b h w half"]:
    return x[..., : x.shape[-1] // 2]


def _right(x: Float[Array, "b h w c"]) -> Float[Array, "b h w half"]:
    return x[..., x.shape[-1] // 2 :]


def _join(x: Float[Array, "b h w half"], y: Float[Array, "b h w half"]) -> Float[Array, "b h w c"]:
    return jnp.concatenate([x, y], -1)


def invert_activations(
    model: Network, variables: Variables, layer_name: str, embedding: Embedding
) -> Images:
    """The images whose embedding this is: exact, but for rounding.

    Args:
        model: an `IRevNet`.
        variables: its variables.
        layer_name: of a squeeze, a block or a stage.
        embedding: `[B, h, w, c]`, what that layer makes of images; float64 is inverted to 1e-10,
            float32 to 1e-4.

    Returns:
        `[B, H, W, C]`. There are such images for any embedding; in [0, 1] are they only if the
        embedding is that of an image.

    Raises:
        ValueError: for a model or a layer that has no inverse, and an embedding of another shape.
    """
    if not isinstance(model, IRevNet):
        raise ValueError(
            f"{type(model).__name__} has no exact inverse; build_model('irevnet') has one"
        )
    invertible = tuple(name for name in layer_names(model) if name not in _CLASSIFIER)
    node = one_of("invertible layer", resolve(model, layer_name), invertible)
    steps = invertible[: invertible.index(node) + 1]
    channels = model.channels * 4 ** sum(name.startswith("squeeze") for name in steps)
    if embedding.ndim != 4 or embedding.shape[-1] != channels:
        raise ValueError(
            f"the embedding at {layer_name} is [B, h, w, {channels}], got {embedding.shape}; give"
            " what the layer returns, without flattening it"
        )
    return _inverted(model, steps, needed_variables(model, node, variables), embedding)


_CLASSIFIER = ("avgpool", "fc")


@partial(jax.jit, static_argnums=(0, 1))
def _inverted(
    model: IRevNet, steps: tuple[str, ...], variables: Variables, embedding: Embedding
) -> Images:
    operations: dict[str, Any] = {node.name: node.operation for node in graph_of(model)}

    def convolved(name: str, x: Array) -> Array:
        return operations[name].apply({"params": variables["params"][name]}, x)

    x = embedding
    with matmul_precision():
        for name in reversed(steps):
            if name.startswith("squeeze"):
                x = depth_to_space(x)
                continue
            right, changed = _left(x), _right(x)
            hidden = relu(convolved(f"{name}.conv1", right))
            x = _join(changed - convolved(f"{name}.conv2", hidden), right)
    return x
