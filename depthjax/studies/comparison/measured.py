"""Images recovered from the same layers of all networks, with the same targets and starts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float

from depthjax.analysis.power_spectrum import spectral_distance
from depthjax.folders.inversions import load_run
from depthjax.inversion.metrics import MATCHED_RATIOS, elasticity
from depthjax.inversion.similarity import (
    gradient_energy_ratio,
    similarity,
    structural_similarity,
)
from depthjax.inversion.state import REACHED
from depthjax.statistics import interval_of
from depthjax.studies.comparison.judges import Judges
from depthjax.studies.comparison.setting import BLURRED, MATCHED, PLAIN
from depthjax.studies.descents import Descents
from depthjax.studies.networks import seed_counts
from depthjax.studies.rows import Row


@dataclass(frozen=True)
class Comparison:
    """The measurements of N networks, S seeds, L layers and B images.

    Fields:
        networks: their labels; those called `untrained`, `photos` and `noise` are judged.
        seeds: of the initialisation, also of trained networks.
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
        """How many seeds each network has: 1 for one that is the same for all."""
        return seed_counts(self.networks, self.values.values())

    @property
    def early(self) -> Sequence[str]:
        """The first two layers; fewer if there are less than four."""
        return self.layers[: min(2, len(self.layers) // 2)]

    @property
    def late(self) -> Sequence[str]:
        """As many last layers as there are early ones."""
        return self.layers[len(self.layers) - len(self.early) :]

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

    @classmethod
    def of_rows(cls, rows: Sequence[Row]) -> "Comparison":
        """The inverse of `rows`, so that a stored comparison can be judged again."""
        names = ("network", "seed", "layer", "image")
        axes = [list(dict.fromkeys(row[name] for row in rows)) for name in names]
        shape = tuple(map(len, axes))
        values: dict[tuple[str, str], np.ndarray] = {}
        for row in rows:
            place = tuple(axis.index(row[name]) for axis, name in zip(axes, names, strict=True))
            for quantity in row.keys() - {*names, "condition", "depth"}:
                key = row["condition"], quantity
                values.setdefault(key, np.full(shape, np.nan))[place] = row[quantity]
        known = {key: table for key, table in values.items() if not np.isnan(table).all()}
        networks, seeds, layers, images = axes
        return cls(networks, seeds, layers, images, known)


def quantities(
    arrays: Mapping[str, np.ndarray],
    targets: Float[np.ndarray, "b h w c"],
    starts: Float[np.ndarray, "b h w c"],
    noise: Float[np.ndarray, "k h w c"],
    condition: str,
) -> dict[str, Float[np.ndarray, " b"]]:
    """The quantities of one network's images recovered from one layer, `[B]` each.

    Args:
        arrays: of the layer, as in `depthjax.Run.layers`; only the first restart is used.
        targets, starts: a and a_0.
        noise: examples of the training set of `noise`.
        condition: one of `CONDITIONS`. For the paper's recipe the last iterate is measured, for the
            others the best one.

    Returns:
        Of the image: ρ, D and m_g/‖O(a)‖, the fields of `Similarity`, SSIM of luminance, the
        gradient energy relative to the target's, and the distance of the spectrum of a_g − a_0 from
        that of the training noise. For `MATCHED` these are NaN where ρ was not reached. Of the
        trajectory: D at matched ρ, the elasticity, and the number of steps.
    """
    last = condition in (BLURRED, PLAIN)
    back = recovered_images(arrays, condition)
    prefix = "final_" if last else ""
    image = {
        name: arrays[prefix + name][0].astype(np.float64)
        for name in ("embedding_ratio", "input_ratio", "relative_embedding_distance")
    }
    image |= vars(similarity(targets, back))
    image["ssim"] = structural_similarity(targets, back)
    image["gradient_energy_ratio"] = gradient_energy_ratio(targets, back)
    image["spectral_distance"] = _spectral_distance(back - starts, noise)
    if condition == MATCHED:
        reached = arrays["status"][0] == REACHED
        image = {name: np.where(reached, value, np.nan) for name, value in image.items()}
    rho, d = arrays["trajectory_embedding_ratio"][:, 0], arrays["trajectory_input_ratio"][:, 0]
    levels = zip(MATCHED_RATIOS, arrays["matched_input_ratio"][:, 0], strict=True)
    return {
        **image,
        **{f"input_ratio_at_{level:g}": value.astype(np.float64) for level, value in levels},
        "elasticity": elasticity(rho, d),
        "steps": arrays["stopped_step"][0].astype(np.float64),
    }


def _spectral_distance(changes: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """The spectral distance of each change; NaN for one that is not finite."""
    finite = np.isfinite(changes).all((1, 2, 3))
    distance = np.full(len(changes), np.nan)
    if finite.any():
        distance[finite] = spectral_distance(changes[finite], noise)
    return distance


def recovered_images(
    arrays: Mapping[str, np.ndarray], condition: str
) -> Float[np.ndarray, "b h w c"]:
    """The recovered images: the last iterates for the paper's recipe, otherwise the best ones."""
    last = condition in (BLURRED, PLAIN)
    return arrays["final_images" if last else "images"][0]


def gather(
    descents: Sequence[Descents],
    targets: Float[np.ndarray, "b h w c"],
    starts: Float[np.ndarray, "b h w c"],
    noise: Float[np.ndarray, "k h w c"],
    judges: Judges,
) -> Comparison:
    """The measurements of all recovered images, from the run folders.

    Args:
        descents: the finished descents of every network, seed and condition.
        targets, starts: a and a_0.
        noise: examples of the training set of `noise`.
        judges: networks that classify the recovered images.
    """
    networks = list(dict.fromkeys(descent.network for descent in descents))
    seeds = list(dict.fromkeys(descent.seed for descent in descents))
    values: dict[tuple[str, str], np.ndarray] = {}
    for descent in descents:
        run = load_run(descent.folder)
        numbers = [
            quantities(arrays, targets, starts, noise, descent.condition)
            for arrays in run.layers.values()
        ]
        tables = {name: np.stack([of_layer[name] for of_layer in numbers]) for name in numbers[0]}
        shape = (len(networks), len(seeds), *tables["steps"].shape)
        back = [recovered_images(arrays, descent.condition) for arrays in run.layers.values()]
        seen = judges.read(seeds.index(descent.seed), np.concatenate(back))
        tables |= {name: value.reshape(shape[2:]) for name, value in seen.items()}
        for name, value in tables.items():
            table = values.setdefault((descent.condition, name), np.full(shape, np.nan))
            table[networks.index(descent.network), seeds.index(descent.seed)] = value
    return Comparison(networks, seeds, list(run.layers), run.image_names, values)


def intervals(
    comparison: Comparison, condition: str, quantity: str, *, logarithmic: bool = False
) -> Float[np.ndarray, "n l 3"]:
    """`interval_of` a quantity of every network at every layer: estimate, low, high."""
    return np.array(
        [
            [
                interval_of(
                    comparison.of(condition, quantity, network, layer), logarithmic=logarithmic
                )[:3]
                for layer in comparison.layers
            ]
            for network in comparison.networks
        ],
        np.float64,
    )
