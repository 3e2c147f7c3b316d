"""What the solutions of several restarts are to each other, at each layer of each network."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from depthjax.analysis.pushing_apart import push_apart
from depthjax.analysis.uniqueness import Uniqueness, uniqueness
from depthjax.devices.precision import matmul_precision
from depthjax.folders.begin import RunFolder
from depthjax.folders.inversions import Run, load_run
from depthjax.studies.descents import CONVERGING, Descents
from depthjax.studies.rows import Row
from depthjax.tables import markdown_table, number

Images: TypeAlias = Float[np.ndarray, "restarts batch height width channels"]


class Solutions(NamedTuple):
    """The solutions of one network with one weight seed, layer by layer.

    Fields:
        network: its label.
        seed: of the weights.
        run: all of its arrays.
        compared: by layer.
        pushed: the same solutions pushed apart, by layer; empty where they were not.
        compared_pushed: these, compared.
    """

    network: str
    seed: int
    run: Run
    compared: dict[str, Uniqueness]
    pushed: dict[str, Images]
    compared_pushed: dict[str, Uniqueness]

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
                    **self._row_pushed(layer, index),
                }

    def _row_pushed(self, layer: str, index: int) -> Row:
        """The columns of solutions that were pushed apart, if they were."""
        found = self.compared_pushed.get(layer)
        if found is None:
            return {}
        between, farthest = found.mean_between[index], _farthest(found)[index]
        return {"pushed_between": float(between), "pushed_farthest": float(farthest)}


def gather(
    descents: Sequence[Descents],
    level: float,
    apart: float,
    push: Callable[[Descents, Run, str], Images] | None = None,
) -> list[Solutions]:
    """Reads what all descents have recovered, and compares the restarts of each layer.

    Args:
        descents: finished, with several restarts.
        level, apart: as in `depthjax.analysis.uniqueness`.
        push: pushes the solutions of a layer apart, see `pusher`; None: they stay as found.
    """
    gathered = []
    for descent in descents:
        run = load_run(descent.folder)

        def compare(layer: str, images: Images, run: Run = run) -> Uniqueness:
            arrays = run.layers[layer]
            scale = arrays["reference_input_distance"][0]
            rho = arrays["embedding_ratio"]
            return uniqueness(images, run.targets, rho, scale, level=level, apart=apart)

        compared = {layer: compare(layer, arrays["images"]) for layer, arrays in run.layers.items()}
        pushed = {layer: push(descent, run, layer) for layer in run.layers} if push else {}
        again = {layer: compare(layer, images) for layer, images in pushed.items()}
        gathered.append(Solutions(descent.network, descent.seed, run, compared, pushed, again))
    return gathered


def pusher(
    folder: RunFolder, level: float, rounds: int, steps: int
) -> Callable[[Descents, Run, str], Images]:
    """What pushes the solutions of a layer apart, and keeps them in the folder of the study.

    Args:
        folder: of the study.
        level: ρ up to which a solution is matched.
        rounds: as in `push_apart`.
        steps: of the descents of one round.
    """

    def push(descent: Descents, run: Run, layer: str) -> Images:
        arrays = run.layers[layer]
        embed, config = descent.layers[layer], descent.config.replace(restarts=1, start="flat")

        def make() -> dict[str, Images]:
            with matmul_precision():
                target = embed(descent.variables, jnp.asarray(run.targets))
            images = push_apart(
                embed,
                descent.variables,
                target,
                arrays["images"],
                level * arrays["reference_embedding_distance"][0],
                arrays["embedding_ratio"] <= level,
                config.replace(steps=steps, record_every=1),
                rounds=rounds,
            )
            return {"images": images}

        return folder.arrays(f"{descent.network}_{descent.seed}_{layer}", make)["images"]

    return push


def summary(rows: Sequence[Row]) -> str:
    """The numbers of each layer and network, means over seeds and images, in Markdown."""
    columns = {"D between": "mean_between", "D to the target": "mean_input_ratio"}
    if rows and "pushed_between" in rows[0]:
        columns |= {"D between, pushed apart": "pushed_between", "largest": "pushed_farthest"}
    headers = ["layer", "network", "matched", "solutions", *columns]
    lines = []
    places = dict.fromkeys((row["depth"], row["layer"], row["network"]) for row in rows)
    for depth, layer, network in sorted(places, key=lambda place: place[0]):
        there = [row for row in rows if (row["depth"], row["network"]) == (depth, network)]
        matched, restarts = (sum(row[name] for row in there) for name in ("matched", "restarts"))
        counts = [row["solutions"] for row in there]
        means = [_known_mean(there, name) for name in columns.values()]
        lines.append(
            [
                *(layer, network, f"{matched} of {restarts}"),
                f"{np.median(counts):g} ({min(counts)}–{max(counts)})",
                *map(number, means),
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
