"""A run is a folder: written atomically, resumed after a kill, and loaded back as arrays.

    config.json        what was asked for, with versions, device and git revision
    inputs.npz         targets and starts, float
    layers/NAME.npz    everything that was found at one layer, float: the source of what follows
    results.csv        one row for each image × layer × restart
    ratio_matrix.npz   ρ at every layer of the images recovered from every layer
    trajectory.npz     distances on the way, `NAME/embedding_ratio` `[records, restarts, images]`
    images/, figures/  PNG
    report.html        all of it on one page, from `depthjax.report`

A layer counts as done once its file has been renamed into place, so nothing that was reported is
lost, and a resumed run computes the missing layers alone. Of the layer in hand the state is kept
about once a minute, in unfinished/NAME, and gone on from.
"""

import csv
import dataclasses
import io
import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from depthjax.devices import processes
from depthjax.files import write_atomically
from depthjax.folders.begin import begin, environment
from depthjax.images import save_png
from depthjax.inversion.autoencoding import Autoencoding
from depthjax.inversion.checkpoints import DescentCheckpoints
from depthjax.inversion.metrics import MATCHED_RATIOS
from depthjax.inversion.state import NON_FINITE, PLATEAU, REACHED, RUNNING
from depthjax.models.labels import TopClasses, describe

__all__ = [
    "STATUS_NAMES",
    "Run",
    "RunWriter",
    "environment",
    "load_run",
    "result_rows",
    "start_run",
    "top_of",
]

STATUS_NAMES = {
    RUNNING: "all steps",
    PLATEAU: "plateau",
    NON_FINITE: "non-finite",
    REACHED: "ρ reached",
}


@dataclass(frozen=True)
class Run:
    """A run folder as arrays. R restarts, B images, L layers, T records.

    Fields:
        folder: where it lies.
        config: the contents of `config.json`.
        targets: `[B, H, W, C]`.
        starts: `[R, B, H, W, C]`.
        layers: for each finished layer, in depth order, its arrays by name: `images`,
            `final_images` `[R, B, H, W, C]`; every field of `Measurement`, and with the prefix
            `final_` for the last iterates, `[R, B]`; `trajectory_…` `[T, R, B]`; `status`,
            `best_step`, `stopped_step` `[R, B]`; `matched_input_ratio` `[4, R, B]`;
            `baseline_…`; `seconds`; `batch_split` (`devices.sharding.Split`). Where iterates were
            kept, 8-bit `frames` `[F, R, B, H, W, C]` and their `frame_step` `[F]`. Where a trained
            head saw the images, the five most probable classes, `top_classes`, `top_probability`
            `[R, B, 5]` and of the targets `target_top_classes`, `target_top_probability` `[B, 5]`.
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
            for depth, (layer, arrays) in enumerate(self.layers.items())
            for row in _rows(layer, depth, self.image_names, arrays)
        ]


def load_run(folder: str | os.PathLike[str]) -> Run:
    """A run folder back as arrays and tables, finished or not.

    Raises:
        ValueError: if there is no run, or a file of it cannot be read.
    """
    path = Path(folder)
    if not (path / "config.json").is_file():
        raise ValueError(f"no run in {str(path)!r}: it has no config.json")
    try:
        config = json.loads((path / "config.json").read_text())
        inputs = _read_arrays(path / "inputs.npz")
        done = [name for name in config["layers"] if _layer_file(path, name).is_file()]
        layers = {name: _read_arrays(_layer_file(path, name)) for name in done}
    except Exception as error:  # numpy, zipfile and json each raise kinds of their own
        raise ValueError(f"the run in {str(path)!r} is damaged: {error}") from error
    return Run(path, config, inputs["targets"], inputs["starts"], layers)


@dataclass(frozen=True)
class RunWriter:
    """Writes a run folder; make one with `start_run`."""

    folder: Path

    def done(self, layer: str) -> bool:
        """Whether a layer is already there."""
        return _layer_file(self.folder, layer).is_file()

    def checkpoints(self, layer: str) -> DescentCheckpoints:
        """Where the state of a layer's descents is kept until the layer is done."""
        return DescentCheckpoints(self.folder / "unfinished" / _file_name(layer))

    def save_layer(
        self,
        layer: str,
        found: Autoencoding,
        *,
        seconds: float = np.nan,
        target_top: TopClasses | None = None,
        recovered_top: TopClasses | None = None,
    ) -> None:
        """Writes what was found at a layer, and brings the table and trajectories up to date.

        Args:
            layer: its name.
            found: what `autoencode` returned.
            seconds: what that took.
            target_top, recovered_top: the most probable classes of the targets `[B, 5]` and of
                the recovered images `[R, B, 5]` or `[B, 5]`.
        """
        arrays = _layer_arrays(found) | {"seconds": np.asarray(seconds)}
        if target_top is not None and recovered_top is not None:
            arrays |= {f"target_top_{name}": v for name, v in target_top._asdict().items()}
            shape = (-1, *target_top.classes.shape)  # restarts always an axis
            arrays |= {f"top_{n}": v.reshape(shape) for n, v in recovered_top._asdict().items()}
        _write_arrays(_layer_file(self.folder, layer), arrays)
        run = load_run(self.folder)
        write_atomically(self.folder / "results.csv", _csv(run.table).encode())
        _write_arrays(self.folder / "trajectory.npz", _trajectories(run))
        self._save_images(run, layer)
        # Those of all processes: they have closed theirs before anyone had the whole.
        shutil.rmtree(self.folder / "unfinished" / _file_name(layer), ignore_errors=True)
        with suppress(OSError):  # while other layers are unfinished, the folder stays
            (self.folder / "unfinished").rmdir()

    def save_ratio_matrix(self, ratio: Float[np.ndarray, "recovered_from measured_at r b"]) -> None:
        """Writes ρ at every layer (second axis) of what was recovered from every layer (first)."""
        layers = np.array(load_run(self.folder).config["layers"])
        _write_arrays(self.folder / "ratio_matrix.npz", {"ratio": ratio, "layers": layers})

    def _save_images(self, run: Run, layer: str) -> None:
        folder = self.folder / "images"
        folder.mkdir(exist_ok=True)
        recovered = run.layers[layer]["images"]
        several = len(recovered) > 1
        for index, name in enumerate(run.image_names):
            save_png(folder / f"{name}_target.png", run.targets[index])
            for restart, images in enumerate(recovered):
                suffix = f"_restart{restart}" if several else ""
                start = run.starts[restart, index]
                save_png(folder / f"{name}_start{suffix}.png", np.nan_to_num(start))
                found = np.nan_to_num(images[index])
                save_png(folder / f"{name}_{_file_name(layer)}{suffix}.png", found)


def start_run(
    folder: str | os.PathLike[str],
    config: Mapping[str, Any],
    targets: ArrayLike,
    starts: ArrayLike,
    *,
    overwrite: bool = False,
    resume: bool = False,
) -> RunWriter:
    """Makes a run folder, or opens the one that is there to go on with it.

    Of several processes the first one does that; all get the same writer, and it alone is to write.

    Args:
        folder: the run folder.
        config: all that defines the run, with `layers` and `images` (labels) among it; it must
            survive JSON.
        targets: `[B, H, W, C]`.
        starts: `[B, H, W, C]` or `[R, B, H, W, C]`.
        overwrite: an older run there is removed first.
        resume: an older run there with the same `config` is continued.

    Raises:
        ValueError: if the folder holds another run, or something that is no run.
    """
    if not processes.is_first():
        return RunWriter(Path(folder))
    starts = np.asarray(starts)
    inputs = {
        "targets": np.asarray(targets),
        "starts": starts[None] if starts.ndim == 4 else starts,
    }
    path = begin(
        folder,
        config,
        overwrite=overwrite,
        resume=resume,
        first={"inputs.npz": _npz(inputs)},
    ).path
    return RunWriter(path)


def result_rows(
    layer: str, depth: int, image_names: list[str], found: Autoencoding
) -> list[dict[str, Any]]:
    """The rows of `results.csv` for one layer: one for each restart × image.

    Args:
        layer: its name.
        depth: its position among the layers.
        image_names: labels of the images.
        found: what `autoencode` returned.
    """
    return _rows(layer, depth, image_names, _layer_arrays(found))


_RECORDED_RATIOS = {
    "embedding_ratio": "reference_embedding_distance",
    "input_ratio": "reference_input_distance",
}
"""Ratios of a trajectory, and what its distances are divided by."""


def _layer_arrays(found: Autoencoding) -> dict[str, np.ndarray]:
    """Everything of an `Autoencoding` under flat names, restarts always an axis."""
    inversion, trajectory = found.inversion, found.inversion.trajectory
    several = found.images.ndim == 5
    arrays = {
        name: getattr(inversion, name)
        for name in ("images", "final_images", "objective", "best_step", "status", "stopped_step")
    }
    arrays |= _fields(found.measurement)
    arrays |= {f"final_{name}": value for name, value in _fields(found.final_measurement).items()}
    arrays |= {"baseline_start": found.baselines["start"]}
    if not several:
        arrays = {name: np.asarray(value)[None] for name, value in arrays.items()}
    recorded = {
        "objective": trajectory.objective,
        "embedding_ratio": trajectory.embedding_distance,
        "input_ratio": trajectory.input_distance,
        "matched": found.matched_input_ratio,
    }
    if not several:
        recorded = {name: value[:, None] for name, value in recorded.items()}
    for ratio, scale in _RECORDED_RATIOS.items():
        recorded[ratio] = recorded[ratio] / np.asarray(arrays[scale])[None]  # [T, R, B] / [1, R, B]
    arrays["matched_input_ratio"] = recorded.pop("matched")
    arrays |= {f"trajectory_{name}": value for name, value in recorded.items()}
    arrays |= {f"baseline_{name}": found.baselines[name] for name in ("flat", "blur")}
    arrays["trajectory_step"] = trajectory.step
    arrays["batch_split"] = np.array(inversion.split)
    if inversion.frames is not None:
        frames = inversion.frames.images
        arrays |= {"frames": frames if several else frames[:, None]}
        arrays["frame_step"] = inversion.frames.step
    return {name: np.asarray(value) for name, value in arrays.items()}


def _fields(value: Any) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


_MEASURED = (
    "embedding_ratio", "input_ratio", "embedding_distance", "reference_embedding_distance",
    "reference_embedding_distance_std", "relative_embedding_distance", "input_distance",
    "reference_input_distance", "clipped_embedding_ratio", "clipped_input_ratio",
    "rounded_embedding_ratio", "rounded_input_ratio", "out_of_range", "final_embedding_ratio",
    "final_input_ratio", "objective",
)  # fmt: skip


def _rows(
    layer: str, depth: int, names: list[str], arrays: dict[str, np.ndarray]
) -> list[dict[str, Any]]:
    rows = []
    for restart in range(arrays["images"].shape[0]):
        for index, name in enumerate(names):
            at = restart, index
            row: dict[str, Any] = {"image": name, "layer": layer, "depth": depth}
            row["restart"] = restart
            row |= {column: float(arrays[column][at]) for column in _MEASURED}
            for level, value in zip(MATCHED_RATIOS, arrays["matched_input_ratio"], strict=True):
                row[f"input_ratio_at_{level:g}"] = float(value[at])
            row["start_input_ratio"] = float(arrays["baseline_start"][at])
            row["flat_input_ratio"] = float(arrays["baseline_flat"][index])
            row["blur_input_ratio"] = float(arrays["baseline_blur"][index])
            row["best_step"] = int(arrays["best_step"][at])
            row["stopped_step"] = int(arrays["stopped_step"][at])
            row["status"] = STATUS_NAMES[int(arrays["status"][at])]
            if "top_classes" in arrays:
                row["target_top5"] = describe(top_of(arrays, "target_top", index))
                row["top5"] = describe(top_of(arrays, "top", at))
            rows.append(row)
    return rows


def top_of(arrays: dict[str, np.ndarray], kind: str, at: Any) -> TopClasses:
    """The most probable classes at an index of `top` or `target_top` of a layer's arrays."""
    return TopClasses(arrays[f"{kind}_classes"][at], arrays[f"{kind}_probability"][at])


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _trajectories(run: Run) -> dict[str, np.ndarray]:
    prefix = "trajectory_"
    return {
        f"{layer}/{name.removeprefix(prefix)}": value
        for layer, arrays in run.layers.items()
        for name, value in arrays.items()
        if name.startswith(prefix)
    }


def _layer_file(folder: Path, layer: str) -> Path:
    return folder / "layers" / f"{_file_name(layer)}.npz"


def _file_name(layer: str) -> str:
    return layer.replace("/", "_")


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    write_atomically(path, _npz(arrays))


def _npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    return content.getvalue()
