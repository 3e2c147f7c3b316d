"""Networks of one architecture, each with several weight seeds, and the places where they are seen.

A network is a label and its weights of each seed; all have as many, in the order of the seeds.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from depthjax.claims.findings import Aside
from depthjax.models.layers import Layer
from depthjax.models.network import Network
from depthjax.models.normalization import Normalization
from depthjax.studies.rows import Row
from depthjax.typing import Variables


class Weights(NamedTuple):
    """Weights of a network, and what a run notes about them.

    Fields:
        variables: the weights.
        normalization: of the pixels, that they expect.
        has_trained_head: whether their classes mean anything.
        record: where they came from, as JSON takes it.
    """

    variables: Variables
    normalization: Normalization | None
    has_trained_head: bool
    record: dict[str, Any]


Networks: TypeAlias = Mapping[str, Sequence[Weights]]
"""By label, the weights of each seed."""


def aside_of(label: str) -> Aside:
    """`control` for networks that are called so, or `control2`: findings about them have no vote.

    A control differs from its counterpart by chance alone: the same network from other seeds.
    """
    return "control" if label.startswith("control") else ""


def weight_records(networks: Networks) -> dict[str, list[dict[str, Any]]]:
    """Where all weights came from, as a run's config has it."""
    return {label: [weights.record for weights in ones] for label, ones in networks.items()}


def untrained_label(networks: Networks) -> str | None:
    """The first network whose weights are the initialisation from the seed; None if none is."""
    return next(
        (label for label, ones in networks.items() if ones[0].record["source"] == "untrained"), None
    )


def same_normalization(networks: Networks) -> Normalization | None:
    """What all networks do to the pixels.

    Raises:
        ValueError: if they do not do the same, for then they see different images.
    """
    every = {weights.normalization for ones in networks.values() for weights in ones}
    if len(every) > 1:
        raise ValueError(
            "the networks do not normalise pixels alike; choose what all of them do, as in"
            " normalization=none"
        )
    return every.pop()


class Place(NamedTuple):
    """A layer of one network and weight seed.

    Fields:
        network: its label.
        seed: of the weights.
        name: of the layer.
        depth: its position among the layers, from 0.
        layer: as these weights want their pixels.
        variables: the weights.
    """

    network: str
    seed: int
    name: str
    depth: int
    layer: Layer
    variables: Variables

    @property
    def columns(self) -> Row:
        """What a row of the table says of it."""
        return {
            **{"network": self.network, "seed": self.seed},
            **{"layer": self.name, "depth": self.depth},
        }


def places(
    model: Network, names: Sequence[str], networks: Networks, seeds: Sequence[int]
) -> list[Place]:
    """Network by network, seed by seed, layer by layer.

    Args:
        model: the architecture.
        names: of the layers, shallow to deep.
        networks: with weights of each of the seeds.
        seeds: their numbers.
    """
    return [
        Place(
            label, seed, name, depth, Layer(model, name, weights.normalization), weights.variables
        )
        for label, ones in networks.items()
        for seed, weights in zip(seeds, ones, strict=True)
        for depth, name in enumerate(names)
    ]
