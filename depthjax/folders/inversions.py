"""A run of inversions in a folder: written atomically, gone on with after a kill, and read back.

    config.json        what was asked for, with versions, device and git revision
    inputs.npz         targets and starts, float
    layers/NAME.npz    all results at one layer, float
    results.csv        one row for each image × layer × restart
    ratio_matrix.npz   ρ at every layer of the images recovered from every layer
    trajectory.npz     distances on the way, `NAME/embedding_ratio` `[records, restarts, images]`
    images/, figures/  PNG
    report.html        all of it on one page, from `depthjax.report`

The first three are the source of all others. A layer is done once its file is there, so a run that
is gone on with computes the missing layers alone; the other files are then made again from what is
there, so that none of them is ever behind. While a layer is inverted, its state is kept about once
a minute in unfinished/NAME.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from depthjax.files import read_arrays
from depthjax.folders.config import read_config
from depthjax.folders.result_rows import rows_of_layer


@dataclass(frozen=True)
class Run:
    """A run folder as arrays, with R restarts, B images, L layers and T records.

    Fields:
        folder: where it lies.
        config: the contents of `config.json`.
        targets: `[B, H, W, C]`.
        starts: `[R, B, H, W, C]`.
        layers: the arrays of each finished layer by name, in depth order: `images`, `final_images`
            `[R, B, H, W, C]`; every field of `Measurement` and of `Similarity` `[R, B]`, and with
            the prefix `final_` the same of the last iterates; `trajectory_…` `[T, R, B]`; `status`,
            `best_step`, `stopped_step` `[R, B]`; `matched_input_ratio` `[4, R, B]`; `baseline_…`;
            `seconds`; `batch_split` (`devices.sharding.Split`). In a study of descents, or if a
            rate was chosen for the layer, `learning_rate` of the first step. If another network was
            asked, `perceptual_distance` `[R, B]`. If metamers were tested for, `metamer`,
            `same_label`, `spearman`, `pearson`, `snr` `[R, B]`. If iterates were kept, 8-bit
            `frames` `[F, R, B, H, W, C]` and their `frame_step` `[F]`. If the network has a trained
            head, the five most probable classes of the recovered images, `top_classes` and
            `top_probability` `[R, B, 5]`, and of the targets, `target_top_classes` and
            `target_top_probability` `[B, 5]`.
    """

    folder: Path
    config: dict[str, Any]
    targets: Float[np.ndarray, "b h w c"]
    starts: Float[np.ndarray, "r b h w c"]
    layers: dict[str, dict[str, np.ndarray]]

    @property
    def image_names(self) -> list[str]:
        """Labels of the images, in the order of the arrays."""
        return self.config["images"]

    def stack(self, name: str) -> np.ndarray:
        """One array of every layer, `[L, …]`."""
        return np.stack([arrays[name] for arrays in self.layers.values()])

    @cached_property
    def table(self) -> list[dict[str, Any]]:
        """The rows of `results.csv`: one for each image × layer × restart."""
        return [
            row
            for layer, arrays in self.layers.items()
            for row in rows_of_layer(
                layer, self.config["layers"].index(layer), self.image_names, arrays
            )
        ]


def is_inversion(folder: Path, config: Mapping[str, Any]) -> bool:
    """Whether a folder is that of a run of inversions, and of no study that holds several."""
    return (
        {"layers", "inversion"} <= config.keys()
        and (folder / "inputs.npz").is_file()
        and not (folder / "descents").is_dir()
    )


def load_run(folder: str | os.PathLike[str]) -> Run:
    """A run folder back as arrays and tables, finished or not.

    Raises:
        ValueError: if there is no run, or a file of it cannot be read.
    """
    path = Path(folder)
    config = read_config(path)
    if not {"layers", "images"} <= config.keys():
        raise ValueError(f"the run in {str(path)!r} is no run of inversions")
    inputs = read_arrays(path / "inputs.npz")
    files = {name: layer_file(path, name) for name in config["layers"]}
    layers = {name: read_arrays(file) for name, file in files.items() if file.is_file()}
    return Run(path, config, inputs["targets"], inputs["starts"], layers)


def layer_file(folder: Path, layer: str) -> Path:
    """Where a run keeps the arrays of a layer; the layer is done if the file is there."""
    return folder / "layers" / f"{file_name(layer)}.npz"


def file_name(layer: str) -> str:
    """A layer's name as a part of file names."""
    return layer.replace("/", "_")
