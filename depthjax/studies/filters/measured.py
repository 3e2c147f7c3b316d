"""How smooth the filters of a convolution are, a row for each of its output channels."""

from collections.abc import Sequence

from depthjax.analysis.filters import kernel_of, low_frequency_energy
from depthjax.studies.networks import Networks
from depthjax.studies.rows import Row


def rows_of(networks: Networks, layer: str, node: str, seeds: Sequence[int]) -> list[Row]:
    """Every network, weight seed and output channel.

    Args:
        networks: with weights of each of the seeds.
        layer: the convolution, as it is called.
        node: its name in the weights.
        seeds: their numbers.
    """
    return [
        {
            **{"network": label, "seed": seed, "layer": layer},
            **{"output_channel": channel, "low_frequency_energy": float(value)},
        }
        for label, ones in networks.items()
        for seed, weights in zip(seeds, ones, strict=True)
        for channel, value in enumerate(low_frequency_energy(kernel_of(weights.variables, node)))
    ]
