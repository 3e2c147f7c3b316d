"""The numbers of a study: of every network, weight seed, layer and image, by condition."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Measured:
    """The measurements of N networks, S seeds, L layers and B images.

    Fields:
        networks: their labels.
        seeds: of the weights, also of trained networks.
        layers: shallow to deep.
        images: their labels.
        values: by condition and quantity, `[N, S, L, B]`; NaN where it was not measured, as for all
            seeds but the first of one trained network that has no seeds.
    """

    networks: Sequence[str]
    seeds: Sequence[int]
    layers: Sequence[str]
    images: Sequence[str]
    values: Mapping[tuple[str, str], Float[np.ndarray, "n s l b"]]

    def of(
        self, condition: str, quantity: str, network: str, layer: str
    ) -> Float[np.ndarray, "s b"]:
        """One quantity at one layer of one network, `[S, B]`; `[1, B]` if it has no seeds.

        So `of(trained) - of(untrained)` has the seeds of the untrained network, whether or not the
        trained one has as many.
        """
        table, number = self.values[condition, quantity], self.networks.index(network)
        return table[number, : self.seeds_of[network], self.layers.index(layer)]

    @cached_property
    def seeds_of(self) -> dict[str, int]:
        """How many seeds of each network were measured: 1 if nothing of any but the first."""
        every = np.stack([np.isfinite(table).any((2, 3)) for table in self.values.values()])
        others = every[:, :, 1:].any((0, 2))
        counts = np.where(others, every.shape[2], 1).tolist()
        return dict(zip(self.networks, counts, strict=True))
