"""What is kept of an inversion at one layer: its arrays, and the rows of the table.

The arrays of a layer are all that `autoencode` returned, by name; rows and trajectories are derived
from them, so a row is the same whether its layer was inverted just now or read back.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from depthjax.inversion.autoencoding import Autoencoding
from depthjax.inversion.metrics import MATCHED_RATIOS
from depthjax.inversion.state import NON_FINITE, PLATEAU, REACHED, RUNNING
from depthjax.models.labels import TopClasses, describe

STATUS_NAMES = {
    RUNNING: "all steps",
    PLATEAU: "plateau",
    NON_FINITE: "non-finite",
    REACHED: "ρ reached",
}


def result_rows(
    layer: str, depth: int, image_names: Sequence[str], found: Autoencoding
) -> list[dict[str, Any]]:
    """The same as `rows_of_layer`, of what `autoencode` has just returned."""
    return rows_of_layer(layer, depth, image_names, layer_arrays(found))


_RECORDED_RATIOS = {
    "embedding_ratio": "reference_embedding_distance",
    "input_ratio": "reference_input_distance",
}
"""Ratios of a trajectory, and what its distances are divided by."""


def layer_arrays(found: Autoencoding) -> dict[str, np.ndarray]:
    """The arrays of an `Autoencoding` by name; restarts are always an axis.

    The names are those of `depthjax.Run.layers`, but for `seconds` and the classes.
    """
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


def rows_of_layer(
    layer: str, depth: int, image_names: Sequence[str], arrays: Mapping[str, np.ndarray]
) -> list[dict[str, Any]]:
    """The rows of `results.csv` for one layer: one for each restart × image.

    Args:
        layer: its name.
        depth: its position among the layers, from 0.
        image_names: labels of the images.
        arrays: from `layer_arrays`, or read back.
    """
    rows = []
    for restart in range(arrays["images"].shape[0]):
        for index, name in enumerate(image_names):
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


def top_of(arrays: Mapping[str, np.ndarray], kind: str, at: Any) -> TopClasses:
    """The most probable classes at an index of `top` or `target_top` of a layer's arrays."""
    return TopClasses(arrays[f"{kind}_classes"][at], arrays[f"{kind}_probability"][at])


def trajectories_of_layer(layer: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of `trajectory.npz` for one layer: `NAME/embedding_ratio` and the others.

    Args:
        layer: its name.
        arrays: from `layer_arrays`, or read back.
    """
    prefix = "trajectory_"
    return {
        f"{layer}/{name.removeprefix(prefix)}": values
        for name, values in arrays.items()
        if name.startswith(prefix)
    }
