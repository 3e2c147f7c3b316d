"""Networks of one architecture with several weight seeds each, and their layers.

A network is a label with its weights for each seed, all networks having the same seeds in one
order; or it is one trained network, with the same weights whatever the seed, which is measured
once. Its numbers are then a table `[1, images]`, and its difference from a control with S seeds
is `[S, images]` by broadcasting: the difference then has one row per seed of the control.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Float

from depthjax.claims.cells import Cells
from depthjax.claims.findings import Aside, Finding
from depthjax.claims.paper import bound_of
from depthjax.models.layers import Layer
from depthjax.models.network import Network
from depthjax.models.normalization import Normalization
from depthjax.statistics import Fixed
from depthjax.studies.rows import Row
from depthjax.typing import Variables
from depthjax.weights import Weights

Networks: TypeAlias = Mapping[str, Sequence[Weights]]
"""By label: the weights for each seed, or the one element of a network that has no seeds."""


def each_network(networks: Networks, seeds: Sequence[int]) -> Iterator[tuple[str, int, Weights]]:
    """Label, seed and weights of every network, seed by seed; of the first seed where it has none.

    Raises:
        ValueError: if a network has neither one element nor one for each seed.
    """
    for label, of_seeds in networks.items():
        for seed, weights in zip(seeds, of_seeds, strict=len(of_seeds) > 1):
            yield label, seed, weights


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
        if len(of_seeds) == 1 and "seed" not in of_seeds[0].record
    )


def fixed_in(table: Float[np.ndarray, "seeds images"], single: bool) -> Fixed:
    """`seeds` for a trained network, whose seed is not a random draw; otherwise empty.

    A single random initialisation gets no interval, even when a trained network is subtracted from
    it.

    Args:
        table: of a network itself.
        single: whether it is one of `single_networks`.
    """
    return "seeds" if single and len(table) == 1 else ""


def about(
    label: str,
    claim: str,
    part: str,
    table: Float[np.ndarray, "seeds images"],
    single: Collection[str],
    *,
    counts: bool = True,
    logarithmic: bool = False,
    note: str = "",
    **said: Any,
) -> Finding:
    """A finding about one network, which says what is fixed in it and whether it has a vote.

    Args:
        label: of the network.
        claim, part: by whose bound it is judged.
        table: of the network.
        single: those that are one trained network.
        counts: whether it is the part's own case; if not, it stands beside it as a contrast.
        logarithmic: whether the mean of the table is geometric.
        note: what else is to be said of the place.
        said: further fields of `Finding`.
    """
    return Finding(
        claim=claim,
        part=part if counts else "",
        network=label,
        note=", ".join([ONE_NETWORK] * (label in single) + [note] * bool(note)),
        bound=bound_of(claim, part),
        measured=Cells.of(table, fixed=fixed_in(table, label in single), logarithmic=logarithmic),
        aside=aside_of(label) or ("" if counts else "contrast"),
        **said,
    )


def weight_records(networks: Networks) -> dict[str, list[dict[str, Any]]]:
    """Where the weights came from, and how they see pixels, for the config of a run.

    Returns:
        By label a list, with one record for each seed, as JSON takes it.
    """
    return {
        label: [
            {
                **weights.record,
                "normalization": weights.normalization and weights.normalization._asdict(),
            }
            for weights in of_seeds
        ]
        for label, of_seeds in networks.items()
    }


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


def same_normalization(expected: Iterable[Normalization | None]) -> Normalization | None:
    """The normalisation of the pixels that all networks expect; None also if there are none.

    Args:
        expected: of each network.

    Raises:
        ValueError: if it differs; the networks would then see different images.
    """
    normalizations = set(expected)
    if len(normalizations) > 1:
        raise ValueError(
            "the networks do not normalise pixels alike; choose what all of them do, as in"
            " normalization=none, or write unnormalized: before the weights of those that shall see"
            " the pixels as they are"
        )
    return next(iter(normalizations), None)


def layers_of(model: Network, names: Sequence[str], weights: Weights) -> dict[str, Layer]:
    """Layers by name, with the normalisation that some weights expect."""
    return {name: Layer(model, name, weights.normalization) for name in names}


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
        networks: with their weights.
        seeds: of the weights.
    """
    return [
        Place(label, seed, name, depth, layer, weights.variables)
        for label, seed, weights in each_network(networks, seeds)
        for depth, (name, layer) in enumerate(layers_of(model, names, weights).items())
    ]
