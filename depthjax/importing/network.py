"""An imported graph as a `Network`."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from jaxtyping import Array, Float

from depthjax.importing.encoding import encoded
from depthjax.importing.values import Value
from depthjax.models.network import Network, Node
from depthjax.models.operations.shared import channels_first_hint


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes and what is known of them; equal to every graph of the same content.

    Fields:
        source: where it comes from, such as "torchvision:resnet18".
        nodes: the operations in depth order.
        aliases: other names of nodes.
        stages: the layers that tell the depth at a glance.
        image_shape: height, width and channels of the images that it was traced for.
        any_size: whether it takes images of other sizes.
        weights: (node, leaf, the source's name) of each weight that is as it is there; it comes
            again for each further name that it has there.
        values: how the source's tensor of each name (node or alias) lies in the activation.
    """

    source: str
    nodes: tuple[Node, ...]
    aliases: tuple[tuple[str, str], ...]
    stages: tuple[str, ...]
    image_shape: tuple[int, int, int]
    any_size: bool
    weights: tuple[tuple[str, str, str], ...]
    values: tuple[tuple[str, Value], ...]

    @cached_property
    def digest(self) -> str:
        """A hash of the content, the same in every process."""
        return hashlib.sha256(json.dumps(encoded(self)).encode()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Graph) and other.digest == self.digest

    def __hash__(self) -> int:
        return hash(self.digest)


class ImportedNetwork(Network):
    """A network of PyTorch or ONNX: its graph is its only field."""

    content: Graph

    def graph(self) -> tuple[Node, ...]:
        """The operations in depth order."""
        return self.content.nodes

    def aliases(self) -> dict[str, str]:
        """The modules of the source, by the node that computes their output."""
        return dict(self.content.aliases)

    def weight_names(self) -> dict[tuple[str, str], str]:
        """The source's names of weights."""
        return {(node, leaf): name for node, leaf, name in reversed(self.content.weights)}

    def other_names(self) -> dict[str, str]:
        """The source's further names of weights that its modules share."""
        first = self.weight_names()
        named = {name: first[node, leaf] for node, leaf, name in self.content.weights}
        return {other: name for other, name in named.items() if other != name}

    def stages(self) -> tuple[str, ...]:
        """The layers that tell the depth at a glance."""
        return self.content.stages

    @property
    def channels(self) -> int:
        """Channels of the images."""
        return self.content.image_shape[-1]

    @property
    def image_size(self) -> tuple[int, int] | None:
        """Height and width that the images must have; None if it takes any."""
        return None if self.content.any_size else self.content.image_shape[:2]

    @property
    def own_size(self) -> tuple[int, int]:
        """Height and width that it was traced at."""
        return self.content.image_shape[:2]

    def check_images(self, images: Float[Array, "b h w c"]) -> None:
        """Refuses images of another size than the graph holds."""
        height, width, channels = self.content.image_shape
        given = "×".join(map(str, images.shape[1:]))
        if images.shape[3:] != (channels,):
            raise ValueError(
                f"{self.content.source} takes images of {channels} channels, got {given}"
                f"{channels_first_hint(images.shape, channels)}"
            )
        if not self.content.any_size and images.shape[1:3] != (height, width):
            raise ValueError(
                f"{self.content.source} was imported for images of {height}×{width} and holds"
                f" that size, got {given}; resize the images (--size={height}), or import it for"
                f" their size (timm, torchvision: --model_field=image_size={images.shape[1]})"
            )

    def in_source(self, name: str) -> Value:
        """How the source's tensor of a node or module lies in the activation of that name."""
        return dict(self.content.values)[name]


def renamed(nodes: list[Node], names: Mapping[str, str]) -> tuple[Node, ...]:
    """Nodes under other names; a name that the mapping lacks stays."""
    return tuple(
        Node(names.get(n.name, n.name), n.operation, tuple(names.get(i, i) for i in n.inputs))
        for n in nodes
    )
