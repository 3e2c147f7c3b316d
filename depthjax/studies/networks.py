"""Networks of one architecture with several weight seeds each, and their layers.

A network is a label with its weights for each seed. All networks have the same seeds, in one order.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Float

from depthjax.claims.findings import Aside
from depthjax.models.layers import Layer
from depthjax.models.network import Network
from depthjax.models.normalization import Normalization
from depthjax.statistics import Fixed
from depthjax.studies.rows import Row
from depthjax.typing import Variables
from depthjax.weights import Weights

Networks: TypeAlias = Mapping[str, Sequence[Weights]]
"""By label: the weights for each seed."""


def aside_of(label: str) -> Aside:
    """`control` for networks that are called so, or `control2`: findings about them have no vote.

    A control differs from its counterpart by chance alone: the same network from other seeds.
    """
    return "control" if label.startswith("control") else ""


ONE_NETWORK = "one trained network"
"""Said of findings about a network that is the same for every weight seed."""


def single_networks(networks: Networks) -> tuple[str, ...]:
    """The labels that are one trained network, whatever the seed: of these alone a study speaks."""
    return tuple(
        label
        for label, of_seeds in networks.items()
        if of_seeds[0].record["source"] != "untrained"
        and all(weights.record == of_seeds[0].record for weights in of_seeds)
    )


def fixed_in(table: Float[np.ndarray, "seeds images"], single: bool) -> Fixed:
    """What is no sample in a table: the seed, if there is one by design.

    One network that was trained is one thing. One random initialisation is a sample of one, from
    which no verdict follows.

    Args:
        table: of a network, or of its difference to another with as many seeds.
        single: whether it is one of `single_networks`.
    """
    return "seeds" if single and len(table) == 1 else ""


def weight_records(networks: Networks) -> dict[str, list[dict[str, Any]]]:
    """Where the weights came from, for the config of a run: by label, one record per seed."""
    return {label: [weights.record for weights in of_seeds] for label, of_seeds in networks.items()}


def untrained_label(networks: Networks) -> str | None:
    """The first network whose weights are an initialisation; None if all are trained."""
    return next(
        (
            label
            for label, of_seeds in networks.items()
            if of_seeds[0].record["source"] == "untrained"
        ),
        None,
    )


def same_normalization(networks: Networks) -> Normalization | None:
    """The normalisation of the pixels, which must be the same for all networks.

    Untrained weights expect none, and take that of the others.

    Raises:
        ValueError: if it differs; the networks would then see different images.
    """
    every = [weights for of_seeds in networks.values() for weights in of_seeds]
    stating = [weights for weights in every if not _expects_nothing(weights)]
    normalizations = {weights.normalization for weights in stating or every}
    if len(normalizations) > 1:
        raise ValueError(
            "the networks do not normalise pixels alike; choose what all of them do, as in"
            " normalization=none"
        )
    return normalizations.pop()


def _expects_nothing(weights: Weights) -> bool:
    """Whether weights are untrained, and nothing was asked for them."""
    untrained = str(weights.record["source"]).startswith("untrained")
    return untrained and weights.normalization is None


class Place(NamedTuple):
    """A layer of one network with one weight seed.

    Fields:
        network: its label.
        seed: of the weights.
        name: of the layer.
        depth: the index of the layer, from 0 for the shallowest.
        layer: the layer, with the normalisation that these weights expect.
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
        """The columns of a table that describe it."""
        return {
            "network": self.network,
            "seed": self.seed,
            "layer": self.name,
            "depth": self.depth,
        }


def places(
    model: Network, names: Sequence[str], networks: Networks, seeds: Sequence[int]
) -> list[Place]:
    """All layers: network by network, seed by seed, shallow to deep.

    Args:
        model: the architecture.
        names: of the layers, shallow to deep.
        networks: with weights for each of the seeds.
        seeds: of the weights.
    """
    return [
        Place(
            label, seed, name, depth, Layer(model, name, weights.normalization), weights.variables
        )
        for label, of_seeds in networks.items()
        for seed, weights in zip(seeds, of_seeds, strict=True)
        for depth, name in enumerate(names)
    ]
