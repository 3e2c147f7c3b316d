"""The numbers of a comparison: every network, seed, layer and image, and which layers are which."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from depthjax.statistics import estimates
from depthjax.studies.descents import CONVERGING
from depthjax.studies.measured import Measured

RESOLUTION, IN_CLASS = "relative_resolution", "in_imagenet"
"""Quantities that are no measurements: of a layer, and of a photograph."""


class Comparison(Measured):
    """The measurements of a comparison, under its `CONDITIONS`.

    Networks called `untrained`, `photos` and `noise` are judged.
    """

    @property
    def reduced(self) -> Sequence[str]:
        """The layers of lower resolution than the network's first layer.

        They lie behind the first pooling or stride that follows it. What comes before is outside
        of the claim.
        """
        resolution = self.values[CONVERGING, RESOLUTION][0, 0, :, 0]
        return [
            name for name, of_layer in zip(self.layers, resolution, strict=True) if of_layer < 1
        ]

    @property
    def middle(self) -> Sequence[str]:
        """The first half of `reduced`, of an odd number one more; one layer alone has no half."""
        reduced = self.reduced
        return reduced[: (len(reduced) + 1) // 2] if len(reduced) > 1 else ()

    @property
    def late(self) -> Sequence[str]:
        """The other half of `reduced`."""
        return self.reduced[len(self.middle) :] if self.middle else ()

    @property
    def early(self) -> Sequence[str]:
        """The first two layers, whatever their resolution; fewer if there are less than four."""
        return self.layers[: min(2, len(self.layers) // 2)]

    @property
    def deep(self) -> Sequence[str]:
        """All layers after the first two: `conv3` to `conv5` if the layers are stages."""
        return self.layers[2:]

    def rows(self) -> list[dict[str, Any]]:
        """One row for each network, seed, layer, condition and image."""
        quantities = list(dict.fromkeys(quantity for _, quantity in self.values))
        conditions = list(dict.fromkeys(condition for condition, _ in self.values))
        return [
            {
                "network": network,
                "seed": seed,
                "layer": layer,
                "depth": depth,
                "condition": condition,
                "image": image,
                **{
                    quantity: float(self.values[condition, quantity][n, s, depth, b])
                    if (condition, quantity) in self.values
                    else float("nan")
                    for quantity in quantities
                },
            }
            for n, network in enumerate(self.networks)
            for s, seed in enumerate(self.seeds[: self.seeds_of[network]])
            for depth, layer in enumerate(self.layers)
            for condition in conditions
            for b, image in enumerate(self.images)
        ]


def intervals(
    comparison: Comparison, condition: str, quantity: str, *, logarithmic: bool = False
) -> Float[np.ndarray, "n l 3"]:
    """`interval_of` a quantity of every network at every layer: estimate, low, high."""
    tables = [
        [comparison.of(condition, quantity, network, layer) for layer in comparison.layers]
        for network in comparison.networks
    ]
    return estimates(tables, logarithmic=logarithmic)
