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

CONVERGING, MATCHED, BLURRED, PLAIN = "converging", "matched", "paper", "paper_no_blur"
"""The kinds of descents: until convergence; the same, stopped at a matched ρ; the paper's recipe
with a fixed number of steps, with its blur and without."""

CONDITIONS = (CONVERGING, MATCHED, BLURRED, PLAIN)


def conditions(
    chosen: InversionConfig, paper: InversionConfig, stop_ratio: float
) -> dict[str, InversionConfig]:
    """The settings of each of `CONDITIONS`.

    Args:
        chosen: of the converging descents.
        paper: the paper's recipe, with its blur.
        stop_ratio: the matched ρ.

    Raises:
        ValueError: for blur, several restarts, or a ratio that is not positive.
    """
    if chosen.blur or chosen.restarts > 1:
        raise ValueError("networks are compared with blur=False and restarts=1")
    if not stop_ratio > 0:
        raise ValueError(f"stop_ratio must be positive, got {stop_ratio}")
    # Recorded at every step, so that a descent stops right at the matched ρ.
    converging = chosen.replace(record_every=1)
    return {
        CONVERGING: converging,
        MATCHED: converging,
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
    stop_ratio: float,
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
        stop_ratio: ρ at which descents of the matched condition stop.
        frames: how many iterates of the first seed's descents are kept.
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
            stop_ratio=stop_ratio if condition == MATCHED else None,
            frames=0 if index else frames,
        )
        for index, seed in enumerate(seeds)
        for condition, config in conditions.items()
        for label, of_seeds in networks.items()
        if index < len(of_seeds)
    ]
