"""The descents of a comparison: one optimiser, and one recipe of the paper, for all networks."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from depthjax.inversion.config import InversionConfig
from depthjax.studies.descents import Descents
from depthjax.studies.networks import Networks
from depthjax.typing import LayerFn

UNTRAINED, PHOTOS, NOISE = "untrained", "photos", "noise"
"""What the networks are called that the claims speak of."""

CONVERGING, MATCHED, BLURRED, PLAIN = "converging", "matched", "paper", "paper_no_blur"
"""The descents: to convergence; the same, stopped at a matched ρ; the paper's recipe for a fixed
number of steps, with its blur and without."""

CONDITIONS = (CONVERGING, MATCHED, BLURRED, PLAIN)


def conditions(
    chosen: InversionConfig, paper: InversionConfig, stop_ratio: float
) -> dict[str, InversionConfig]:
    """The four descents of `CONDITIONS`.

    Args:
        chosen: of the converging ones.
        paper: the paper's recipe, with its blur.
        stop_ratio: ρ at which images are compared.

    Raises:
        ValueError: for settings under which they would not be what their names say.
    """
    if chosen.blur or chosen.restarts > 1:
        raise ValueError("networks are compared with blur=False and restarts=1")
    if not stop_ratio > 0:
        raise ValueError(f"stop_ratio must be positive, got {stop_ratio}")
    # At every step, or a descent would pass the matched ρ unseen.
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
    layers: Mapping[str, LayerFn],
    conditions: Mapping[str, InversionConfig],
    *,
    stop_ratio: float,
    frames: int = 0,
) -> list[Descents]:
    """Every network and seed under every condition, in the order in which they are made.

    Args:
        folder: of the comparison.
        networks: with weights of each of the seeds.
        seeds: their numbers.
        layers: by name, shallow to deep.
        conditions: from `conditions`.
        stop_ratio: ρ at which those of the matched condition stop.
        frames: how many iterates are kept of those of the first seed.
    """
    return [
        Descents(
            folder,
            label,
            seed,
            condition,
            config,
            layers,
            ones[index].variables,
            ones[index].record,
            stop_ratio=stop_ratio if condition == MATCHED else None,
            frames=0 if index else frames,
        )
        for index, seed in enumerate(seeds)
        for condition, config in conditions.items()
        for label, ones in networks.items()
    ]
