"""Draws D, ρ and the elasticity at every block, a column for each network."""

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.figure import Figure

from depthjax import figures
from depthjax.claims.paper import bound_of
from depthjax.figures.text import averages, counted
from depthjax.statistics import estimates
from depthjax.studies.depth.judged import MATCHED_ENOUGH
from depthjax.studies.depth.measured import Blocks

_PANELS = {
    "D at ρ = 0.1": ("input_ratio_at_0.1", True),
    "ρ of the recovered image": ("embedding_ratio", True),
    "elasticity d log D / d log ρ": ("elasticity", False),
}
"""By its name on the axis: the quantity, and whether its mean is geometric."""

_BASELINES = {"start": "start", "flat": "mean colour", "blur": "blurred target"}


def draw(networks: Sequence[Blocks], size: int) -> Iterator[tuple[str, Figure]]:
    """The figure of all networks, with its name.

    Args:
        networks: all with the same seeds and images.
        size: height and width of the images.
    """
    first = networks[0]
    d, rho, slope = _PANELS
    lines = {
        d: {name: _geometric_mean(first, kind) for kind, name in _BASELINES.items()},
        rho: {"matched (C2)": MATCHED_ENOUGH},
        slope: {"limit (C3)": bound_of("C3", "image_stays_lost").high},
    }
    columns = [_column(network) for network in networks]
    yield (
        "depth",
        figures.blocks_against_depth(
            columns,
            lines=lines,
            logarithmic=[panel for panel, (_, logarithmic) in _PANELS.items() if logarithmic],
            note=averages(
                [table for column in columns for table in column.panels.values()],
                f"n = {counted(len(first.seeds), 'weight seed')} ×"
                f" {counted(len(first.images), 'image')} of {size}×{size}",
            ),
        ),
    )


def _geometric_mean(network: Blocks, kind: str) -> float:
    """D of a baseline over all seeds, blocks and images."""
    return float(np.exp(np.log(network.values[f"{kind}_input_ratio"]).mean()))


def _column(network: Blocks) -> figures.BlockColumn:
    return figures.BlockColumn(
        network.network,
        [block.index for block in network.blocks],
        [block.stage for block in network.blocks],
        {
            panel: estimates(
                [[network.of(quantity, place) for place in range(len(network.blocks))]],
                logarithmic=logarithmic,
            )[0]
            for panel, (quantity, logarithmic) in _PANELS.items()
        },
    )
