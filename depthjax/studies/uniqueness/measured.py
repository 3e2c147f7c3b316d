"""What the solutions of several restarts are to each other, at each layer of each network."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from depthjax.analysis.uniqueness import Uniqueness, uniqueness
from depthjax.folders.inversions import Run, load_run
from depthjax.studies.comparison.setting import CONVERGING
from depthjax.studies.descents import Descents
from depthjax.studies.rows import Row
from depthjax.tables import markdown_table, number


class Solutions(NamedTuple):
    """The solutions of one network with one weight seed, layer by layer.

    Fields:
        network: its label.
        seed: of the weights.
        run: all of its arrays.
        compared: by layer.
    """

    network: str
    seed: int
    run: Run
    compared: dict[str, Uniqueness]

    def rows(self) -> Iterator[Row]:
        """A row for each layer and image."""
        for depth, (layer, found) in enumerate(self.compared.items()):
            rho = self.run.layers[layer]["embedding_ratio"]
            farthest = _farthest(found)
            for index, image in enumerate(self.run.image_names):
                yield {
                    "network": self.network,
                    "seed": self.seed,
                    "condition": CONVERGING,
                    "layer": layer,
                    "depth": depth,
                    "image": image,
                    "restarts": len(found.matched),
                    "matched": int(found.matched[:, index].sum()),
                    "solutions": int(found.solutions[index]),
                    "recovered": bool(found.recovered[index]),
                    "mean_between": float(found.mean_between[index]),
                    "farthest_between": float(farthest[index]),
                    "mean_input_ratio": float(found.mean_to_target[index]),
                    "mean_spread": float(found.spread[index].mean()),
                    "median_embedding_ratio": float(np.median(rho[:, index])),
                }


def gather(descents: Sequence[Descents], level: float, apart: float) -> list[Solutions]:
    """Reads what all descents have recovered, and compares the restarts of each layer.

    Args:
        descents: finished, with several restarts.
        level, apart: as in `depthjax.analysis.uniqueness`.
    """
    gathered = []
    for descent in descents:
        run = load_run(descent.folder)
        compared = {
            layer: uniqueness(
                arrays["images"],
                run.targets,
                arrays["embedding_ratio"],
                arrays["reference_input_distance"][0],
                level=level,
                apart=apart,
            )
            for layer, arrays in run.layers.items()
        }
        gathered.append(Solutions(descent.network, descent.seed, run, compared))
    return gathered


def summary(rows: Sequence[Row]) -> str:
    """The numbers of each layer and network, means over seeds and images, in Markdown."""
    headers = ["layer", "network", "matched", "solutions", "D between", "D to the target"]
    lines = []
    places = dict.fromkeys((row["depth"], row["layer"], row["network"]) for row in rows)
    for depth, layer, network in sorted(places, key=lambda place: place[0]):
        there = [row for row in rows if (row["depth"], row["network"]) == (depth, network)]
        matched, restarts = (sum(row[name] for row in there) for name in ("matched", "restarts"))
        counts = [row["solutions"] for row in there]
        means = [_known_mean(there, name) for name in ("mean_between", "mean_input_ratio")]
        lines.append(
            [
                *(layer, network, f"{matched} of {restarts}"),
                f"{np.median(counts):g} ({min(counts)}–{max(counts)})",
                *("–" if np.isnan(mean) else number(mean) for mean in means),
            ]
        )
    return markdown_table(headers, lines)


def _known_mean(rows: Sequence[Row], column: str) -> float:
    values = np.array([row[column] for row in rows])
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def _farthest(found: Uniqueness) -> Float[np.ndarray, " batch"]:
    known = np.nan_to_num(found.between, nan=-1.0).max((0, 1))
    return np.where(np.isfinite(found.mean_between), known, np.nan)
