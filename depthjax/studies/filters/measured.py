"""How smooth the filters of a convolution are: one row per output channel."""

from collections.abc import Sequence

from depthjax.analysis.filters import kernel_of, low_frequency_energy
from depthjax.studies.networks import Networks, each_network
from depthjax.studies.rows import Row


def rows_of(networks: Networks, layer: str, node: str, seeds: Sequence[int]) -> list[Row]:
    """The rows of every network, weight seed and output channel.

    Args:
        networks: with their weights.
        layer: the convolution, as the user calls it.
        node: its name in the weights.
        seeds: of the weights.
    """
    return [
        {
            "network": label,
            "seed": seed,
            "layer": layer,
            "output_channel": channel,
            "low_frequency_energy": float(value),
        }
        for label, seed, weights in each_network(networks, seeds)
        for channel, value in enumerate(low_frequency_energy(kernel_of(weights.variables, node)))
    ]
