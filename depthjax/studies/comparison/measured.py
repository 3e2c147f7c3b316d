"""What came back from the same layers of all networks, of the same images and starts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from depthjax.analysis.power_spectrum import spectral_distance
from depthjax.analysis.similarity import gradient_energy_ratio, structural_similarity
from depthjax.folders.inversions import load_run
from depthjax.inversion.metrics import MATCHED_RATIOS, elasticity
from depthjax.inversion.state import REACHED
from depthjax.statistics import interval_of
from depthjax.studies.comparison.judges import Judges
from depthjax.studies.comparison.setting import BLURRED, MATCHED, PLAIN
from depthjax.studies.descents import Descents
from depthjax.studies.rows import Row


@dataclass(frozen=True)
class Comparison:
    """Numbers of every network, seed, layer and image. N networks, S seeds, L layers, B images.

    Fields:
        networks: their labels; those called `untrained`, `photos` and `noise` are judged.
        seeds: of the weights; one seed is one initialisation, whatever was trained from it.
        layers: shallow to deep.
        images: labels.
        values: by condition and quantity, `[N, S, L, B]`; NaN where there is none.
    """

    networks: Sequence[str]
    seeds: Sequence[int]
    layers: Sequence[str]
    images: Sequence[str]
    values: Mapping[tuple[str, str], Float[np.ndarray, "n s l b"]]

    def of(
        self, condition: str, quantity: str, network: str, layer: str
    ) -> Float[np.ndarray, "s b"]:
        """One quantity at one layer of one network, for every seed and image."""
        table = self.values[condition, quantity]
        return table[self.networks.index(network), :, self.layers.index(layer)]

    @property
    def early(self) -> Sequence[str]:
        """The first two layers."""
        return self.layers[: min(2, len(self.layers) // 2)]

    @property
    def late(self) -> Sequence[str]:
        """The last two layers, none of which is early."""
        return self.layers[len(self.layers) - len(self.early) :]

    @property
    def deep(self) -> Sequence[str]:
        """What follows the first two: `conv3` to `conv5`, where the layers are stages."""
        return self.layers[2:]

    def rows(self) -> list[dict[str, Any]]:
        """One for each network × seed × layer × condition × image."""
        quantities = list(dict.fromkeys(quantity for _, quantity in self.values))
        conditions = list(dict.fromkeys(condition for condition, _ in self.values))
        return [
            {
                **{"network": network, "seed": seed, "layer": layer, "depth": depth},
                **{"condition": condition, "image": image},
                **{
                    quantity: float(self.values[condition, quantity][n, s, depth, b])
                    if (condition, quantity) in self.values
                    else float("nan")
                    for quantity in quantities
                },
            }
            for n, network in enumerate(self.networks)
            for s, seed in enumerate(self.seeds)
            for depth, layer in enumerate(self.layers)
            for condition in conditions
            for b, image in enumerate(self.images)
        ]

    @classmethod
    def of_rows(cls, rows: Sequence[Row]) -> "Comparison":
        """The comparison whose `rows` these are, so that it can be judged again."""
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
    """The numbers of one network's images recovered from one layer.

    Args:
        arrays: of the layer, as in `depthjax.Run.layers`; the first restart counts.
        targets, starts: a and a_0.
        noise: what `noise` was trained on.
        condition: one of those of a comparison; of the paper's recipe the last iterate counts, of
            the others the best.

    Returns:
        ρ, D and m_g/‖O(a)‖ of the image; D at matched ρ and the elasticity, of the trajectory;
        SSIM and the gradient energy over the target's; the distance of the spectrum of a_g − a_0 to
        that of the training noise; the steps made. For `MATCHED` all of the image is NaN where ρ
        was not reached.
    """
    last = condition in (BLURRED, PLAIN)
    found = recovered(arrays, condition)
    prefix = "final_" if last else ""
    image = {
        name: arrays[prefix + name][0].astype(np.float64)
        for name in ("embedding_ratio", "input_ratio", "relative_embedding_distance")
    }
    image["ssim"] = structural_similarity(targets, found)
    image["gradient_energy_ratio"] = gradient_energy_ratio(targets, found)
    image["spectral_distance"] = _spectral_distance(found - starts, noise)
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
    """NaN for those that are not finite."""
    finite = np.isfinite(changes).all((1, 2, 3))
    found = np.full(len(changes), np.nan)
    if finite.any():
        found[finite] = spectral_distance(changes[finite], noise)
    return found


def recovered(arrays: Mapping[str, np.ndarray], condition: str) -> Float[np.ndarray, "b h w c"]:
    """The images that a condition stands for: the paper's recipe reports the last iterate."""
    last = condition in (BLURRED, PLAIN)
    return arrays["final_images" if last else "images"][0]


def gather(
    descents: Sequence[Descents],
    targets: Float[np.ndarray, "b h w c"],
    starts: Float[np.ndarray, "b h w c"],
    noise: Float[np.ndarray, "k h w c"],
    judges: Judges,
) -> Comparison:
    """The numbers of all images recovered, from the files.

    Args:
        descents: finished ones, of every network, seed and condition.
        targets, starts: a and a_0.
        noise: what `noise` was trained on.
        judges: who looks at the images.
    """
    networks = list(dict.fromkeys(one.network for one in descents))
    seeds = list(dict.fromkeys(one.seed for one in descents))
    values: dict[tuple[str, str], np.ndarray] = {}
    for one in descents:
        run = load_run(one.folder)
        numbers = [
            quantities(arrays, targets, starts, noise, one.condition)
            for arrays in run.layers.values()
        ]
        found = {name: np.stack([each[name] for each in numbers]) for name in numbers[0]}
        shape = (len(networks), len(seeds), *found["steps"].shape)
        back = [recovered(arrays, one.condition) for arrays in run.layers.values()]
        seen = judges.read(seeds.index(one.seed), np.concatenate(back))
        found |= {name: value.reshape(shape[2:]) for name, value in seen.items()}
        for name, value in found.items():
            table = values.setdefault((one.condition, name), np.full(shape, np.nan))
            table[networks.index(one.network), seeds.index(one.seed)] = value
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
