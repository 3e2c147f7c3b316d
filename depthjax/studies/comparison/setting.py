"""The descents of a comparison: the same optimisers for all networks."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from depthjax.inversion.config import InversionConfig
from depthjax.studies.descents import Descents
from depthjax.studies.networks import Networks
from depthjax.typing import LayerFn
from depthjax.weights import Weights

UNTRAINED, PHOTOS, NOISE = "untrained", "photos", "noise"
"""The labels of the networks that the claims are about."""

CONVERGING, BLURRED, PLAIN = "converging", "paper", "paper_no_blur"
"""The kinds of descents: until convergence; the paper's recipe with a fixed number of steps, with
its blur and without."""

CONDITIONS = (CONVERGING, BLURRED, PLAIN)


def conditions(chosen: InversionConfig, paper: InversionConfig) -> dict[str, InversionConfig]:
    """The settings of each of `CONDITIONS`, from the same starts.

    Args:
        chosen: of the converging descents.
        paper: the paper's recipe, with its blur.

    Raises:
        ValueError: for blur.
    """
    if chosen.blur:
        raise ValueError("networks are compared with blur=False")
    paper = paper.replace(restarts=chosen.restarts, start=chosen.start)
    return {
        # Recorded at every step, so that ρ is known of every iterate that is kept.
        CONVERGING: chosen.replace(record_every=1),
        BLURRED: paper,
        PLAIN: paper.replace(blur=False),
    }


def descents_of(
    folder: Path,
    networks: Networks,
    seeds: Sequence[int],
    layers: Callable[[Weights], Mapping[str, LayerFn]],
    conditions: Mapping[str, InversionConfig],
    *,
    rates: Sequence[float] = (1.0,),
    frames: int = 0,
) -> list[Descents]:
    """The descents of every network and seed under every condition, in the order of the work.

    One trained network, which is the same for every seed, descends for the first alone.

    Args:
        folder: of the comparison.
        networks: with their weights.
        seeds: of the weights.
        layers: from weights to the layers by name, shallow to deep.
        conditions: from `conditions`.
        rates: multiples of the paper's rate, of which each layer and network takes the best.
        frames: how many iterates of converging descents are kept, and of the others of the first
            seed.
    """
    return [
        Descents(
            folder,
            label,
            seed,
            condition,
            config,
            layers(of_seeds[index]),
            of_seeds[index].variables,
            of_seeds[index].record,
            rates=(1.0,) if condition == CONVERGING else tuple(rates),
            frames=frames if condition == CONVERGING or not index else 0,
        )
        for index, seed in enumerate(seeds)
        for condition, config in conditions.items()
        for label, of_seeds in networks.items()
        if index < len(of_seeds)
    ]
