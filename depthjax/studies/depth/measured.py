"""Descents from every block of untrained residual networks, as numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from depthjax.folders.inversions import load_run
from depthjax.folders.restarts import best_restart
from depthjax.inversion.metrics import MATCHED_RATIOS, elasticity
from depthjax.models import ResNet, resolve
from depthjax.studies.descents import Descents


@dataclass(frozen=True)
class Block:
    """A residual block.

    Fields:
        layer: its name.
        stage: its stage, from 1.
        index: its number among all blocks of the network, from 1.
    """

    layer: str
    stage: int
    index: int


@dataclass(frozen=True)
class Blocks:
    """The measurements of one network, for S weight seeds, L blocks and B images.

    Fields:
        network: its label.
        kind: of its blocks; networks of the same kind are compared with each other.
        depth: the number of blocks of the whole network.
        stages: the number of its stages.
        seeds: of the weights.
        blocks: that were inverted, shallow to deep.
        images: their labels.
        values: by quantity, `[S, L, B]`; NaN where it was not measured.
    """

    network: str
    kind: str
    depth: int
    stages: int
    seeds: Sequence[int]
    blocks: Sequence[Block]
    images: Sequence[str]
    values: Mapping[str, Float[np.ndarray, "s l b"]]

    def of(self, quantity: str, layer: int) -> Float[np.ndarray, "s b"]:
        """One quantity at the block with this index in `blocks`, `[S, B]`."""
        return self.values[quantity][:, layer]

    @property
    def last(self) -> int | None:
        """The index in `blocks` of the network's last block; None if it was not inverted."""
        places = [place for place, block in enumerate(self.blocks) if block.index == self.depth]
        return places[0] if places else None

    def rows(self) -> list[dict[str, Any]]:
        """One row for each seed, block and image."""
        return [
            {
                "network": self.network,
                "seed": seed,
                "layer": block.layer,
                "stage": block.stage,
                "block": block.index,
                "image": image,
                **{name: float(values[s, place, b]) for name, values in self.values.items()},
            }
            for s, seed in enumerate(self.seeds)
            for place, block in enumerate(self.blocks)
            for b, image in enumerate(self.images)
        ]


def block_names(model: ResNet) -> list[str]:
    """The names of all residual blocks, shallow to deep."""
    return [
        f"layer{stage}.{number}"
        for stage, blocks in enumerate(model.stage_sizes, 1)
        for number in range(blocks)
    ]


def blocks_of(model: ResNet, layers: Sequence[str]) -> list[Block]:
    """The blocks that layers are the outputs of.

    Raises:
        ValueError: for a layer that is not the output of a block.
    """
    names = block_names(model)
    blocks = []
    for layer in layers:
        node = resolve(model, layer)
        if node not in names:
            raise ValueError(
                f"{layer!r} is not the output of a residual block; those are {names[0]} to"
                f" {names[-1]}, and layer1 to layer{len(model.stage_sizes)}"
            )
        stage = int(node.removeprefix("layer").split(".")[0])
        blocks.append(Block(layer, stage, names.index(node) + 1))
    return blocks


def gather(descents: Sequence[Descents], model: ResNet) -> Blocks:
    """The measurements of one network, from the run folders of its descents, one per seed."""
    runs = [load_run(of_seed.folder) for of_seed in descents]
    values: dict[str, list[list[np.ndarray]]] = {}
    for run in runs:
        tables = [quantities(best_restart(arrays)) for arrays in run.layers.values()]
        for name in tables[0]:
            values.setdefault(name, []).append([table[name] for table in tables])
    return Blocks(
        network=descents[0].network,
        kind=model.block,
        depth=sum(model.stage_sizes),
        stages=len(model.stage_sizes),
        seeds=[of_seed.seed for of_seed in descents],
        blocks=blocks_of(model, list(runs[0].layers)),
        images=runs[0].image_names,
        values={name: np.array(table, np.float64) for name, table in values.items()},
    )


def quantities(arrays: Mapping[str, np.ndarray]) -> dict[str, Float[np.ndarray, " b"]]:
    """The quantities of the images recovered from one layer, `[B]` each.

    Args:
        arrays: of the layer, as in `depthjax.Run.layers`, with one restart (`best_restart`).

    Returns:
        ρ, D and r² of the best image; from the trajectory, D at matched ρ, ρ and D where ρ was the
        smallest, and the elasticity; D of the start, of the mean colour and of the blurred target;
        the number of steps.
    """
    rho, d = arrays["trajectory_embedding_ratio"][:, 0], arrays["trajectory_input_ratio"][:, 0]
    levels = zip(MATCHED_RATIOS, arrays["matched_input_ratio"][:, 0], strict=True)
    return {
        "embedding_ratio": arrays["embedding_ratio"][0],
        "input_ratio": arrays["input_ratio"][0],
        "luminance_r2": arrays["luminance_r2"][0],
        **{f"input_ratio_at_{level:g}": value for level, value in levels},
        **nearest(rho, d),
        "elasticity": elasticity(rho, d),
        "start_input_ratio": arrays["baseline_start"][0],
        "flat_input_ratio": arrays["baseline_flat"],
        "blur_input_ratio": arrays["baseline_blur"],
        "steps": arrays["stopped_step"][0].astype(np.float64),
    }


def nearest(
    rho: Float[np.ndarray, "records b"], d: Float[np.ndarray, "records b"]
) -> dict[str, Float[np.ndarray, " b"]]:
    """ρ and D of the record with the smallest ρ of each descent; NaN if none is finite."""
    known = np.isfinite(rho) & np.isfinite(d)
    place = np.where(known, rho, np.inf).argmin(0)[None]
    return {
        name: np.where(known.any(0), np.take_along_axis(values, place, 0)[0], np.nan)
        for name, values in (("nearest_embedding_ratio", rho), ("nearest_input_ratio", d))
    }
