"""A named layer of a model as a pure function of weights and images."""

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import jax

from depthjax.models.embeddings import embedding_shape
from depthjax.models.joined import BETWEEN, join, with_node
from depthjax.models.network import (
    INPUT,
    Network,
    check_network,
    graph_of,
    layer_names,
    needed_nodes,
    needed_variables,
    resolve,
)
from depthjax.models.normalization import as_normalization
from depthjax.models.prepared import PreparedLayer, prepare, rewrites_anything
from depthjax.models.regated import regated
from depthjax.models.softened import softened
from depthjax.typing import Embedding, Inputs, Variables


@dataclass(frozen=True)
class Layer:
    """`layer(variables, images)` is the embedding of the images at that layer.

    Hashable, and equal to every `Layer` that means the same node under whatever name, so it can
    be a static argument of `jit`. Only what lies at or before the layer is traced and compiled,
    also when it is called plainly. BatchNorm and dropout are in evaluation mode.

    Args:
        model: a model of `depthjax.models`.
        name: any name of `layer_names(model, sublayers=True)` or an alias: `layer3` or `conv4`
            (the stage's output), `layer3.0.conv2`, `features.14`, `relu3_1`, `stem`. Several joined
            by `+`, as `layer1+layer3`, make one embedding `[B, n]`, one behind the other; an
            objective can ask for each (`depthjax.term`).
        normalization: what is done to the pixels first: "imagenet" for torchvision's weights and
            most others, "half", a pair `(mean, std)`, or None: the network sees the pixels.
        from_layer: an earlier layer whose activation is given in place of images; None for images.

    Raises:
        ValueError: for an unknown name, with the nearest ones; for a normalisation of other
            channels than the model's; for a layer that does not depend on `from_layer` alone.
    """

    model: Network
    name: str = field(compare=False)
    normalization: Any = None  # made a Normalization or None
    from_layer: str | None = field(default=None, compare=False)
    node: str = field(init=False, repr=False)
    start: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check_network(self.model)
        object.__setattr__(self, "node", resolve(self.model, self.name))
        object.__setattr__(self, "model", with_node(self.model, self.node))
        start = resolve(self.model, self.from_layer) if self.from_layer else INPUT
        object.__setattr__(self, "start", start)
        needed_nodes(self.model, self.node, start)  # refuses what does not lie between
        normalization = as_normalization(self.normalization)
        if self.from_layer and normalization:
            raise ValueError(
                f"what leaves {self.from_layer} is no pixels: give a layer with from_layer no"
                " normalization"
            )
        object.__setattr__(self, "normalization", normalization)
        channels = getattr(self.model, "channels", None)
        if normalization and channels not in (None, len(normalization.mean)):
            raise ValueError(
                f"the normalization is for {len(normalization.mean)} channels and the model takes"
                f" {channels}; give a mean and a standard deviation for each channel"
            )

    def __call__(self, variables: Variables, images: Inputs) -> Embedding:
        """Images `[B, H, W, C]`, or activations of `from_layer`, to their embedding `[B, …]`."""
        held = needed_variables(self.model, self.node, variables, self.start)
        return _embed(self, held, images)

    def split(self, at: str) -> tuple["Layer", "Layer"]:
        """Two layers, up to another one and from there on; one after the other they are this one.

        Args:
            at: name of an earlier layer through which all passes, such as the block before.

        Raises:
            ValueError: if there is none of that name, or some of the image goes past it.
        """
        before = Layer(self.model, at, self.normalization, self.from_layer)
        return before, Layer(self.model, self.name, from_layer=at)

    def part_shapes(
        self, variables: Variables, images: Any
    ) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Name and shape, without the batch axis, of each layer that `+` joins here.

        Args:
            variables, images: as the layer takes them, or their shapes and dtypes.
        """
        operations = {node.name: node.operation for node in graph_of(self.model)}
        names = self.name.split(BETWEEN) if operations[self.node] is join else []
        layers = {name.strip(): replace(self, name=name.strip()) for name in names}
        return tuple(
            (name, embedding_shape(layer, variables, images).shape[1:])
            for name, layer in layers.items()
        )

    def with_relu_gradient(self, how: str) -> "Layer":
        """The same function of the images with another gradient, for descents.

        Args:
            how: one of `depthjax.models.regated.RELU_GRADIENTS`.

        Raises:
            ValueError: for another way, or where there is no ReLU to change.
        """
        return replace(self, model=regated(self.model, self.node, how))

    def with_soft_gates(self) -> "Layer":
        """The same function of the images, for descents: what `prepare` makes of it has a soft
        derivative of ReLUs and max poolings (`depthjax.ops.soft_gates`).
        """
        return replace(self, model=softened(self.model))

    @property
    def needs_verification(self) -> bool:
        """Whether the prepared layer has to be compared with this one before it is believed.

        It computes some operation in another way, in a network that is none of this package's.
        """
        return not self.model.is_ours and rewrites_anything(self.model, self.node, self.start)

    def prepare(
        self, variables: Variables, *, rematerialize: bool = False
    ) -> tuple[PreparedLayer, Variables]:
        """The same function of the images, fast: weights folded, flipped and rearranged once.

        Args:
            variables: of the model.
            rematerialize: keep few activations for the gradient, and compute the others again.

        Returns:
            A hashable function `(weights, images) -> embedding` and the weights it takes.
        """
        how = (self.normalization, rematerialize, self.start)
        return prepare(self.model, self.node, variables, *how)


@partial(jax.jit, static_argnums=0)
def _embed(layer: Layer, variables: Variables, images: Inputs) -> Embedding:
    if layer.normalization:
        images = layer.normalization(images)
    embedding, _ = layer.model.apply(variables, images, until=layer.node, start=layer.start)
    return embedding


def select_layers(model: Network, specification: str) -> tuple[str, ...]:
    """Layer names from a list such as `conv1,layer1:layer3` or `all-stages`.

    Args:
        model: a model of `depthjax.models`.
        specification: names separated by commas; `first:last` is every layer of `layer_names`
            from one to the other (every stage, when both are stages); `all-stages` one layer a
            stage; `all` every layer of `layer_names`.

    Raises:
        ValueError: for an unknown name, or a range that runs backwards.
    """
    chosen: list[str] = []
    for part in filter(None, (part.strip() for part in specification.split(","))):
        if part.replace("_", "-") == "all-stages":
            chosen += model.stages()
        elif part == "all":
            chosen += layer_names(model)
        elif ":" in part:
            chosen += _range(model, *part.split(":", 1))
        else:
            chosen.append(part)
    if not chosen:
        raise ValueError(f"no layer in {specification!r}; try all-stages, or one of its names")
    # Under whatever names, each layer once.
    unique: dict[str, str] = {}
    for name in chosen:
        unique.setdefault(resolve(model, name), name)
    return tuple(unique.values())


def _range(model: Network, first: str, last: str) -> tuple[str, ...]:
    stages = model.stages()
    both_stages = all(_is_stage(model, end) for end in (first, last))
    names = stages if both_stages else layer_names(model)
    nodes = [resolve(model, name) for name in names]
    positions = []
    for end in (first, last):
        node = resolve(model, end)
        if node not in nodes:
            raise ValueError(
                f"layer {end!r} lies inside a block and cannot end a range; name it by itself"
            )
        positions.append(nodes.index(node))
    start, stop = positions
    if start > stop:
        raise ValueError(
            f"layer range {first}:{last} runs backwards: {first!r} lies deeper than {last!r};"
            f" write {last}:{first}"
        )
    return names[start : stop + 1]


def _is_stage(model: Network, name: str) -> bool:
    """Whether a name means a stage (`layer2`, `conv3`), not the block that ends it (`layer2.3`)."""
    nodes = {resolve(model, stage) for stage in model.stages()}
    return name in model.stages() or ("." not in name and resolve(model, name) in nodes)
