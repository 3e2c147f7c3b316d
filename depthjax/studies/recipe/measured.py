"""The last iterates of the paper's recipe, at its published rate and at multiples of it."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from depthjax.folders.inversions import load_run
from depthjax.inversion.config import InversionConfig
from depthjax.studies.descents import Descents, at_rate
from depthjax.studies.measured import Measured
from depthjax.studies.networks import Networks
from depthjax.typing import LayerFn
from depthjax.weights import Weights

PUBLISHED = "1"
"""The multiple of the published rate that is the paper's recipe."""

TUNED = "tuned"
"""The rate with the smallest final objective, chosen per image, layer and seed."""

_OBJECTIVE = "objective"


class LastIterates(Measured):
    """What the recipe ends with; NaN where a layer was not inverted at a rate.

    Conditions are rates: multiples of the published one, as they were asked for, and `TUNED`.
    """

    @property
    def rates(self) -> list[str]:
        """The multiples that were asked for, and `TUNED`."""
        return list(dict.fromkeys(rate for rate, _ in self.values))

    def rows(self) -> list[dict[str, Any]]:
        """One row for each network, seed, layer, image and rate that was asked for there."""
        quantities = list(dict.fromkeys(quantity for _, quantity in self.values))
        return [
            {"network": network, "seed": seed, "layer": layer, "image": image, "rate": rate}
            | {name: float(self.values[rate, name][n, s, place, b]) for name in quantities}
            for n, network in enumerate(self.networks)
            for s, seed in enumerate(self.seeds)
            for place, layer in enumerate(self.layers)
            for b, image in enumerate(self.images)
            for rate in self.rates
            if not np.isnan(self.values[rate, _OBJECTIVE][n, s, place, b])
        ]


def descents_of(
    folder: Path,
    networks: Networks,
    seeds: Sequence[int],
    layers: Callable[[Weights], Mapping[str, LayerFn]],
    recipe: InversionConfig,
    rates: Mapping[str, Sequence[str]],
) -> list[Descents]:
    """The descents of every seed, network and rate, in the order of the work.

    Args:
        folder: of the study.
        networks: with their weights; one trained network descends for the first seed alone.
        seeds: of the weights.
        layers: from weights to the layers by name, shallow to deep.
        recipe: as published.
        rates: for each multiple of the published rate, the layers that are inverted at it.
    """
    return [
        Descents(
            folder,
            label,
            seed,
            f"rate_{rate}",
            at_rate(recipe, float(rate)),
            {name: layers(of_seeds[index])[name] for name in chosen},
            of_seeds[index].variables,
            of_seeds[index].record,
        )
        for index, seed in enumerate(seeds)
        for label, of_seeds in networks.items()
        if index < len(of_seeds)
        for rate, chosen in rates.items()
    ]


def gather(descents: Sequence[Descents]) -> LastIterates:
    """The numbers of descents that are done, with the rate that the objective alone chooses.

    Args:
        descents: from `descents_of`; those of a seed are there as a whole or not at all.
    """
    labels = list(dict.fromkeys(one.network for one in descents))
    seeds = list(dict.fromkeys(one.seed for one in descents))
    layers = list(dict.fromkeys(name for one in descents for name in one.layers))
    images: list[str] = []
    found: dict[tuple[str, str], np.ndarray] = {}
    for one in descents:
        run = load_run(one.folder)
        images = run.image_names
        shape = (len(labels), len(seeds), len(layers), len(images))
        for layer, arrays in run.layers.items():
            place = labels.index(one.network), seeds.index(one.seed), layers.index(layer)
            for name, numbers in quantities(arrays).items():
                key = one.condition.removeprefix("rate_"), name
                found.setdefault(key, np.full(shape, np.nan))[place] = numbers
    return LastIterates(labels, seeds, layers, images, found | tuned(found))


def quantities(arrays: Mapping[str, np.ndarray]) -> dict[str, Float[np.ndarray, " b"]]:
    """The quantities of the last iterates at one layer, `[B]` each.

    Args:
        arrays: of the layer, as in `depthjax.Run.layers`; only the first restart is used.

    Returns:
        ρ, D, r² and the objective of the last iterate, ρ of the best one and of the start. Where a
        descent has overflowed its objective is infinite, and its ρ the largest that was recorded:
        it went at least so far.
    """
    recorded = arrays["trajectory_embedding_ratio"][:, 0].astype(np.float64)
    last, objective = arrays["final_embedding_ratio"][0], arrays["trajectory_objective"][-1, 0]
    farthest = np.where(np.isfinite(recorded), recorded, -np.inf).max(0)
    return {
        "embedding_ratio": np.where(np.isfinite(last), last, farthest),
        "input_ratio": arrays["final_input_ratio"][0].astype(np.float64),
        "luminance_r2": arrays["final_luminance_r2"][0],
        _OBJECTIVE: np.where(np.isfinite(objective), objective, np.inf).astype(np.float64),
        "best_embedding_ratio": arrays["embedding_ratio"][0].astype(np.float64),
        "start_embedding_ratio": recorded[0],
    }


def tuned(
    values: Mapping[tuple[str, str], Float[np.ndarray, "*cells"]],
) -> dict[tuple[str, str], Float[np.ndarray, "*cells"]]:
    """Each quantity at the rate with the smallest objective of the last iterate.

    All rates are results of this study, so that each image can take its own from descents that are
    done; where the rate is only a means, two images try it for all (`descents.best_rate`).

    Args:
        values: by rate and quantity; NaN where nothing was asked.

    Returns:
        By `TUNED` and quantity; NaN where there is no choice of at least two rates.
    """
    rates = list(dict.fromkeys(rate for rate, _ in values))
    objective = np.stack([values[rate, _OBJECTIVE] for rate in rates])
    asked = ~np.isnan(objective)
    best = np.where(asked, objective, np.inf).argmin(0)[None]
    several = asked.sum(0) > 1
    return {
        (TUNED, name): np.where(
            several,
            np.take_along_axis(np.stack([values[rate, name] for rate in rates]), best, 0)[0],
            np.nan,
        )
        for name in dict.fromkeys(name for _, name in values)
    }
