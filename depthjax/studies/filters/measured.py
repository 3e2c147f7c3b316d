"""What the filters of a convolution are like: one row per output channel."""

from collections.abc import Sequence

import numpy as np

from depthjax.analysis.filters import anisotropy, kernel_of, low_frequency_power
from depthjax.analysis.wavelets import LEAST_SIDE, wavelet_share
from depthjax.studies.networks import Networks, each_network
from depthjax.studies.rows import Row

SMOOTH, DIRECTED, WAVELET = "low_frequency_power", "anisotropy", "wavelet_share"
COLOURS = 3
"""Input channels of a convolution that sees the image itself."""


def rows_of(networks: Networks, layer: str, node: str, seeds: Sequence[int]) -> list[Row]:
    """The rows of every network, weight seed and output channel.

    The share of a wavelet is only asked of a convolution that sees the image, with filters of
    `depthjax.analysis.wavelets.LEAST_SIDE` or more; it is NaN elsewhere.

    Args:
        networks: with their weights.
        layer: the convolution, as the user calls it.
        node: its name in the weights.
        seeds: of the weights.

    Raises:
        ValueError: as the functions of `depthjax.analysis.filters`.
    """
    rows = []
    for label, seed, weights in each_network(networks, seeds):
        kernel = kernel_of(weights.variables, node)
        columns = {
            SMOOTH: low_frequency_power(kernel),
            DIRECTED: anisotropy(kernel),
            WAVELET: np.full(kernel.shape[3], np.nan),
        }
        first = kernel.shape[2] == COLOURS
        if first and min(kernel.shape[:2]) >= LEAST_SIDE:
            columns[WAVELET] = wavelet_share(kernel)
        where = {"network": label, "seed": seed, "layer": layer, "first": first}
        rows += [
            where
            | {"output_channel": channel}
            | {name: float(values[channel]) for name, values in columns.items()}
            for channel in range(kernel.shape[3])
        ]
    return rows
