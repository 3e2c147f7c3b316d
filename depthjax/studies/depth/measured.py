"""What untrained residual networks keep, block by block: the numbers of their descents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from depthjax.folders.inversions import load_run
from depthjax.inversion.metrics import MATCHED_RATIOS, elasticity
from depthjax.models import ResNet, resolve
from depthjax.studies.descents import Descents


@dataclass(frozen=True)
class Block:
    """A residual block: its stage and its place among all blocks of the network, both from 1."""

    layer: str
    stage: int
    index: int


@dataclass(frozen=True)
class Blocks:
    """Numbers of one network's blocks. S weight seeds, L blocks, B images.

    Fields:
        network: its label.
        kind: of its blocks; networks of one kind are compared with each other.
        depth: blocks that the whole network has.
        stages: that it has.
        seeds: of the weights.
        blocks: those that were inverted, shallow to deep.
        images: labels.
        values: by quantity, `[S, L, B]`; NaN where there is none.
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
        """One quantity at one block, by its place in `blocks`."""
        return self.values[quantity][:, layer]

    @property
    def last(self) -> int | None:
        """The place of the block that ends the last stage; None if it was not inverted."""
        found = [place for place, block in enumerate(self.blocks) if block.index == self.depth]
        return found[0] if found else None

    def rows(self) -> list[dict[str, Any]]:
        """One for each seed × block × image."""
        return [
            {
                **{"network": self.network, "seed": seed, "layer": block.layer},
                **{"stage": block.stage, "block": block.index, "image": image},
                **{name: float(values[s, place, b]) for name, values in self.values.items()},
            }
            for s, seed in enumerate(self.seeds)
            for place, block in enumerate(self.blocks)
            for b, image in enumerate(self.images)
        ]


def block_names(model: ResNet) -> list[str]:
    """The layers that are outputs of residual blocks, shallow to deep."""
    return [
        f"layer{stage}.{number}"
        for stage, blocks in enumerate(model.stage_sizes, 1)
        for number in range(blocks)
    ]


def blocks_of(model: ResNet, layers: Sequence[str]) -> list[Block]:
    """Where layers stand in the network.

    Raises:
        ValueError: for a layer that is not the output of a block.
    """
    names = block_names(model)
    found = []
    for layer in layers:
        node = resolve(model, layer)
        if node not in names:
            raise ValueError(
                f"{layer!r} is not the output of a residual block; those are {names[0]} to"
                f" {names[-1]}, and layer1 to layer{len(model.stage_sizes)}"
            )
        stage = int(node.removeprefix("layer").split(".")[0])
        found.append(Block(layer, stage, names.index(node) + 1))
    return found


def gather(descents: Sequence[Descents], model: ResNet) -> Blocks:
    """The numbers of one network, from the files of its descents (one for each weight seed)."""
    every = [load_run(one.folder) for one in descents]
    values: dict[str, list[list[np.ndarray]]] = {}
    for run in every:
        tables = [quantities(arrays) for arrays in run.layers.values()]
        for name in tables[0]:
            values.setdefault(name, []).append([table[name] for table in tables])
    return Blocks(
        network=descents[0].network,
        kind=model.block,
        depth=sum(model.stage_sizes),
        stages=len(model.stage_sizes),
        seeds=[one.seed for one in descents],
        blocks=blocks_of(model, list(every[0].layers)),
        images=every[0].image_names,
        values={name: np.array(table, np.float64) for name, table in values.items()},
    )


def quantities(arrays: Mapping[str, np.ndarray]) -> dict[str, Float[np.ndarray, " b"]]:
    """What counts of the images recovered from one layer.

    Args:
        arrays: of the layer, as in `depthjax.Run.layers`; the first restart counts.

    Returns:
        ρ and D of the best image; D at matched ρ and the elasticity, of the trajectory; D of the
        start, of the flat mean colour and of the blurred target; the steps made.
    """
    rho, d = arrays["trajectory_embedding_ratio"][:, 0], arrays["trajectory_input_ratio"][:, 0]
    levels = zip(MATCHED_RATIOS, arrays["matched_input_ratio"][:, 0], strict=True)
    return {
        "embedding_ratio": arrays["embedding_ratio"][0],
        "input_ratio": arrays["input_ratio"][0],
        **{f"input_ratio_at_{level:g}": value for level, value in levels},
        "elasticity": elasticity(rho, d),
        "start_input_ratio": arrays["baseline_start"][0],
        "flat_input_ratio": arrays["baseline_flat"],
        "blur_input_ratio": arrays["baseline_blur"],
        "steps": arrays["stopped_step"][0].astype(np.float64),
    }
