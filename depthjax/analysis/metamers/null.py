"""How alike a network keeps photographs that have nothing to do with each other: a null."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from depthjax.analysis.metamers.likeness import Likeness, Standard, between, standard
from depthjax.analysis.nearness import flat_embedder
from depthjax.errors import one_of
from depthjax.images.crops import NaturalCrops
from depthjax.models.embeddings import embedding_shape
from depthjax.models.specifications import variables_sha256
from depthjax.typing import LayerFn, Variables

MEMORY = 1 << 30
"""Bytes that the embeddings of pairs may take."""

_AT_ONCE = 64
"""Images in a batch."""

_COPIES = 8
"""Arrays of float64 that an embedding takes while its pairs are computed: six that are kept, of
three blocks, and two while one is made."""


@dataclass(frozen=True)
class Null:
    """Likeness of the embeddings of unrelated photographs, at some layers of one network.

    Fields:
        network: the SHA-256 of its weights, and what it does to pixels first.
        shape: height, width and channels of the images.
        images: how they were drawn, with the number of `images` and of `photographs` that they are
            of. Only photographs are independent: a far quantile of few of them is no more than the
            likeness of the two that are most alike.
        layers: by the name of the layer, of all P pairs, each statistic sorted by itself, `[P]`.
    """

    network: dict[str, Any]
    shape: tuple[int, ...]
    images: dict[str, Any]
    layers: Mapping[str, Likeness]

    @cached_property
    def pairs(self) -> int:
        """How many pairs of images."""
        return len(next(iter(self.layers.values())).snr)

    def quantile(self, layer: str, level: float | int) -> Likeness:
        """A quantile of each statistic, as a float that some pair has; of level 1 the maximum.

        Raises:
            ValueError: for a layer that it does not have, and a level outside [0, 1].
        """
        if not 0 <= level <= 1:
            raise ValueError(
                f"a quantile has a level between 0 and 1, got {level}; 1 is the maximum"
            )
        found = self.layers[one_of("layer of the null distribution", layer, self.layers)]
        return Likeness(*(float(np.quantile(values, level, method="higher")) for values in found))

    def check(self, layer: str, function: LayerFn, variables: Variables, shape: Any) -> None:
        """Returns if it belongs to a layer of a network, at images of a shape.

        Args:
            layer: its name.
            function, variables: the layer.
            shape: `[…, height, width, channels]` of the images.

        Raises:
            ValueError: if it belongs to another network, layer or size.
        """
        one_of("layer of the null distribution", layer, self.layers)
        found = identity(function, variables)
        asked = tuple(shape[-3:])
        if asked != self.shape:
            raise ValueError(
                f"the null distribution is of images {_size(self.shape)}, and these are"
                f" {_size(asked)}; make one of this size"
            )
        for name, value in found.items():
            if value != self.network[name]:
                raise ValueError(
                    f"the null distribution is of another network: its {name} is"
                    f" {_short(self.network[name])}, and this one's {_short(value)}; make one of"
                    " this network"
                )

    def __str__(self) -> str:
        source = self.images.get("source", "arrays")
        return (
            f"{self.pairs} pairs of {self.images['images']} images of"
            f" {self.images['photographs']} photographs ({source}), {_size(self.shape)}"
        )


def identity(function: LayerFn, variables: Variables) -> dict[str, Any]:
    """What a null distribution must share with a network, as JSON takes it."""
    pixels = getattr(function, "normalization", None)
    return {
        "weights": variables_sha256(variables),
        "normalization": pixels and {name: list(v) for name, v in pixels._asdict().items()},
    }


def natural_null(
    layers: Mapping[str, LayerFn],
    variables: Variables,
    natural: NaturalCrops,
    *,
    memory: int = MEMORY,
) -> Null:
    """Likeness of every pair of images of different photographs, at each layer.

    Embeddings and ranks are computed once for each image, as far as they fit into memory, and the
    pairs are products of matrices. Of a pair the image that was drawn first is the target. Where
    embeddings do not fit, they are computed again for each two blocks of images.

    Args:
        layers: by name, of one network.
        variables: its weights.
        natural: N images; see `natural_images`, and `NaturalCrops` for arrays of your own.
        memory: bytes that embeddings may take. The result takes 24 for each pair and layer.

    Raises:
        ValueError: for no layer, for images that make no pair, and embeddings that are not finite.
    """
    if not layers:
        raise ValueError("there is no layer to make a null distribution of; give one by its name")
    groups = np.unique(np.array(natural.photographs), return_inverse=True)[1]
    if len(set(groups)) < 2:
        raise ValueError("the images are of one photograph, which makes no pair; give two or more")
    found = {
        name: _pairs(name, layer, variables, natural.images, groups, memory)
        for name, layer in layers.items()
    }
    counted = {"images": len(groups), "photographs": len(set(groups))}
    record = {**natural.record, **counted}
    first = next(iter(layers.values()))
    return Null(identity(first, variables), natural.images.shape[1:], record, found)


def _pairs(
    name: str,
    layer: LayerFn,
    variables: Variables,
    images: np.ndarray,
    groups: np.ndarray,
    memory: int,
) -> Likeness:
    image = jax.ShapeDtypeStruct((1, *images.shape[1:]), jnp.float32)
    features = int(np.prod(embedding_shape(layer, variables, image).shape))
    count = max(1, memory // (8 * _COPIES * features))
    blocks = np.array_split(np.arange(len(images)), -(-len(images) // count))

    embed = flat_embedder(layer, variables, images[:1], max_batch=_AT_ONCE)

    def embedded(block: np.ndarray) -> Standard:
        embeddings = embed(images[block])
        if not np.isfinite(embeddings).all():
            raise ValueError(
                f"{name} gives embeddings of natural images that are not finite; see its weights"
            )
        return standard(embeddings)

    def likeness() -> Iterator[Float[np.ndarray, "3 pairs"]]:
        others = embedded(blocks[0])
        for at, block in enumerate(blocks):
            targets = others
            counted = np.triu(groups[block][:, None] != groups[block], 1)
            yield np.stack([table[counted] for table in between(targets, targets)])
            for later in reversed(blocks[at + 1 :]):  # the last one is the next block of targets
                others = embedded(later)
                counted = groups[block][:, None] != groups[later]
                yield np.stack([table[counted] for table in between(targets, others)])

    return Likeness(*np.sort(np.concatenate(list(likeness()), axis=1), axis=1))


def _size(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


def _short(value: Any) -> str:
    return value[:12] if isinstance(value, str) else str(value)
