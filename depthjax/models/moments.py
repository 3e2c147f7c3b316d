"""What BatchNorms expect: how far the statistics of one image are from those of training.

A trained network keeps the mean and variance that each channel had in training. Images whose
features have others are unlike those of training; as a penalty this is the prior of DeepInversion
(Yin et al., *Dreaming to Distill*, CVPR 2020). There statistics are of a batch. Here they are of
the places of one image, because examples never mix.
"""

from dataclasses import dataclass, replace
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from depthjax.devices.spreading import gathered
from depthjax.models.derived import Derived
from depthjax.models.embeddings import embedding_shape
from depthjax.models.joined import BETWEEN
from depthjax.models.layers import Layer
from depthjax.models.network import Node, graph_of, needed_nodes
from depthjax.typing import Embedding, Images, LayerFn, PerExample, Variables

_ENDING = ".moments"


def moments(x: Float[Array, "batch *places channels"]) -> Float[Array, "batch moments"]:
    """Mean and variance of each channel over the places of each example, one behind the other."""
    places = tuple(range(1, x.ndim - 1))
    return jnp.concatenate([x.mean(places), x.var(places)], 1)


class WithMoments(Derived):
    """A network with a node more behind some nodes, which holds their moments.

    Fields:
        nodes: of that network.
    """

    nodes: tuple[str, ...]

    def graph(self) -> tuple[Node, ...]:
        """That of the network, and the moments."""
        return *graph_of(self.network), *(Node(n + _ENDING, moments, (n,)) for n in self.nodes)


@dataclass(frozen=True)
class ObservedLayer:
    """A layer that also tells how far the moments on the way to it are from those of training.

    Fields:
        layer: fast, of the embedding and all moments, flat and one behind the other.
        shape: of the embedding, without the batch axis.
    """

    layer: LayerFn
    shape: tuple[int, ...]

    def __call__(self, weights: Variables, images: Images) -> Embedding:
        """Images `[B, H, W, C]` to their embedding `[B, …]`."""
        return self.observe(weights, images)[0]

    @property
    def pushable(self) -> "ObservedLayer":
        """The same where it is to be pushed forward."""
        return replace(self, layer=getattr(self.layer, "pushable", self.layer))

    def observe(self, weights: Variables, images: Images) -> tuple[Embedding, PerExample]:
        """The embedding, and the distance of the moments from those of training, `[B]`.

        For each BatchNorm with the scales γ and shifts β, and the moments m and v of its output:
        ‖m − β‖²/‖γ‖² + ‖v − γ²‖²/‖γ²‖²; the mean of these over the BatchNorms.
        """
        flat = self.layer(weights["layer"], images)
        expected, unit = (gathered(weights[name]) for name in ("expected", "unit"))
        found = flat[:, -len(expected) :]
        distance = (unit[None] * jnp.square(found - expected[None])).sum(1)
        return flat[:, : -found.shape[1]].reshape(-1, *self.shape), distance


def observed_layer(
    layer: LayerFn, variables: Variables, images: Any, **settings: Any
) -> tuple[ObservedLayer, Variables]:
    """The fast form of a layer that observes the BatchNorms on the way to it, and its weights.

    Args:
        layer: a `Layer`.
        variables: its weights.
        images: where it will be evaluated, or their shape and dtype.
        settings: of `Layer.prepare`.

    Raises:
        ValueError: for any other layer, and one without a BatchNorm of maps before it.
    """
    if not isinstance(layer, Layer):
        raise ValueError(
            "the penalty batch_norm needs a depthjax.Layer of a network, whose BatchNorms are known"
        )
    norms = [
        node.name
        for node in needed_nodes(layer.model, layer.node, layer.start)
        if isinstance(node.operation, nn.BatchNorm) and _has_places(layer, node, variables, images)
    ]
    if not norms:
        raise ValueError(
            f"the penalty batch_norm needs a BatchNorm of maps at or before {layer.name}, and"
            f" {type(layer.model).__name__} has none there; choose a deeper layer or network"
        )
    model = WithMoments(layer.model.clone(parent=None), tuple(norms))
    name = BETWEEN.join([layer.node, *(norm + _ENDING for norm in norms)])
    start = None if layer.from_layer is None else layer.start
    joined = Layer(model, name, layer.normalization, start)
    fast, weights = joined.prepare(variables, **settings)
    shape = embedding_shape(layer, variables, images).shape[1:]
    return ObservedLayer(fast, shape), {"layer": weights, **_expected(variables, norms)}


def _has_places(layer: Layer, node: Node, variables: Variables, images: Any) -> bool:
    """Whether a node's output is a map of more than one place, so that it has a variance."""
    own = Layer(layer.model, node.name, layer.normalization, layer.from_layer)
    shape = embedding_shape(own, variables, images).shape
    return len(shape) > 2 and any(side > 1 for side in shape[1:-1])


def _expected(variables: Variables, norms: list[str]) -> dict[str, Array]:
    """The moments that BatchNorms expect of their outputs, and the weight of each difference."""
    expected, unit = [], []
    for name in norms:
        held, statistics = variables.get("params", {}).get(name, {}), variables["batch_stats"][name]
        ones = jnp.ones_like(statistics["mean"])
        shift, square = held.get("bias", 0 * ones), jnp.square(held.get("scale", ones))
        for moment, size in ((shift, square.sum()), (square, jnp.square(square).sum())):
            expected.append(moment)
            unit.append(ones / (len(norms) * size))
    return {"expected": jnp.concatenate(expected), "unit": jnp.concatenate(unit)}
