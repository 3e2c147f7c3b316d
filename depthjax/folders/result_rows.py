"""The rows of a run's `results.csv`: which columns there are, and what fills them.

`report/columns.py` says how the report calls each column.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from depthjax.analysis.metamers import Likeness
from depthjax.folders.layer_arrays import top_of
from depthjax.inversion.metrics import MATCHED_RATIOS
from depthjax.inversion.similarity import Similarity
from depthjax.inversion.state import NON_FINITE, PLATEAU, REACHED, RUNNING
from depthjax.models.labels import describe

STATUS_NAMES = {
    RUNNING: "all steps",
    PLATEAU: "plateau",
    NON_FINITE: "non-finite",
    REACHED: "ρ reached",
}

VERDICTS = {True: "passed", False: "failed"}
"""Of the metamer test; words, so that the report can filter by them."""

_MEASURED = (
    "embedding_ratio", "input_ratio",
    *(field.name for field in dataclasses.fields(Similarity)), "perceptual_distance",
    "embedding_distance", "reference_embedding_distance",
    "reference_embedding_distance_std", "relative_embedding_distance", "input_distance",
    "reference_input_distance", "clipped_embedding_ratio", "clipped_input_ratio",
    "rounded_embedding_ratio", "rounded_input_ratio", "out_of_range", "final_embedding_ratio",
    "final_input_ratio", "objective",
)  # fmt: skip
_ASKED = ("perceptual_distance",)
"""Columns of those that are only there where they were asked for."""


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
            measured = [column for column in _MEASURED if column in arrays or column not in _ASKED]
            row |= {column: float(arrays[column][at]) for column in measured}
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
            if "metamer" in arrays:
                row["metamer"] = VERDICTS[bool(arrays["metamer"][at])]
                row["same_label"] = bool(arrays["same_label"][at])
                row |= {name: float(arrays[name][at]) for name in Likeness._fields}
            rows.append(row)
    return rows
