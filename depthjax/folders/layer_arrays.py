"""The arrays that are kept of an inversion at one layer.

They are all that `autoencode` returned, by name. Tables and trajectories are derived from them, so
they are the same whether the layer was inverted just now or read back.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from depthjax.analysis.metamers import MetamerTest
from depthjax.inversion.autoencoding import Autoencoding
from depthjax.models.labels import TopClasses

_RECORDED_RATIOS = {
    "embedding_ratio": "reference_embedding_distance",
    "input_ratio": "reference_input_distance",
}
"""Ratios of a trajectory, and what its distances are divided by."""


def layer_arrays(result: Autoencoding) -> dict[str, np.ndarray]:
    """The arrays of an `Autoencoding` by name; restarts are always an axis.

    The names are those of `depthjax.Run.layers`, but for `seconds` and the classes.
    """
    inversion, trajectory = result.inversion, result.inversion.trajectory
    several = result.images.ndim == 5
    arrays: dict[str, Any] = dict(inversion.per_example)
    arrays |= _fields(result.measurement) | _fields(result.similarity)
    last = _fields(result.final_measurement) | _fields(result.final_similarity)
    arrays |= {f"final_{name}": value for name, value in last.items()}
    arrays |= {"baseline_start": result.baselines["start"]}
    if not several:
        arrays = {name: np.asarray(value)[None] for name, value in arrays.items()}
    recorded = {
        "objective": trajectory.objective,
        "embedding_ratio": trajectory.embedding_distance,
        "input_ratio": trajectory.input_distance,
        "matched": result.matched_input_ratio,
    }
    if not several:
        recorded = {name: value[:, None] for name, value in recorded.items()}
    for ratio, scale in _RECORDED_RATIOS.items():
        recorded[ratio] = recorded[ratio] / np.asarray(arrays[scale])[None]  # [T, R, B] / [1, R, B]
    arrays["matched_input_ratio"] = recorded.pop("matched")
    arrays |= {f"trajectory_{name}": value for name, value in recorded.items()}
    arrays |= {f"baseline_{name}": result.baselines[name] for name in ("flat", "blur")}
    arrays["trajectory_step"] = trajectory.step
    arrays["batch_split"] = np.array(inversion.split)
    if inversion.frames is not None:
        frames = inversion.frames.images
        arrays |= {"frames": frames if several else frames[:, None]}
        arrays["frame_step"] = inversion.frames.step
    return {name: np.asarray(value) for name, value in arrays.items()}


def metamer_arrays(test: MetamerTest) -> dict[str, np.ndarray]:
    """The verdict, and the parts of it, by the names of the columns of `results.csv`."""
    found = test.likeness[test.layer]._asdict()
    return {"metamer": test.passed, "same_label": test.same_label, **found}


def _fields(value: Any) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


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
