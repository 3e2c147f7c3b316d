"""Every measure of photographs that were changed, and their table."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from depthjax.analysis.perceptual import Judge
from depthjax.inversion.metrics import input_distances
from depthjax.inversion.reference import expected_input_distance
from depthjax.inversion.similarity import similarity
from depthjax.tables import markdown_table, number, share

Photographs = Float[np.ndarray, "b h w c"]

COLUMNS = {
    "input_ratio": "D",
    "luminance_r2": "r²",
    "luminance_r2_2_4": "2–4 px",
    "luminance_r2_4_8": "4–8 px",
    "luminance_r2_8_16": "8–16 px",
    "luminance_r2_16_32": "16–32 px",
    "contrast_r2": "r² of contrast",
    "gradient_r2": "r² of edges",
    "gradient_similarity": "GMS",
    "gradient_deviation": "GMSD",
    "ssim": "SSIM",
    "perceptual_distance": "perceptual distance",
}
"""What is measured, and how the table calls it."""


def rows_of(
    names: Sequence[str],
    targets: Photographs,
    changes: Mapping[str, Photographs],
    judge: Judge | None,
) -> list[dict[str, Any]]:
    """A row for each change × photograph, with every measure.

    Args:
        names: of the photographs.
        targets: as they were.
        changes: from `changes.changed`.
        judge: another network that compares them; None for no `perceptual_distance`.
    """
    rows = []
    scale = expected_input_distance(targets[0].size)
    for change, images in changes.items():
        distance = np.asarray(input_distances(jnp.asarray(targets), jnp.asarray(images)))
        measured = {"input_ratio": distance / scale, **vars(similarity(targets, images))}
        if judge is not None:
            measured["perceptual_distance"] = judge.distance(targets, images)
        rows += [
            {"change": change, "image": name}
            | {column: float(values[index]) for column, values in measured.items()}
            for index, name in enumerate(names)
        ]
    return rows


def measures_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Means over photographs: a row for each change, in Markdown."""
    columns = [column for column in COLUMNS if column in rows[0]]
    lines = []
    for change in dict.fromkeys(row["change"] for row in rows):
        own = [row for row in rows if row["change"] == change]
        means = [float(np.mean([row[column] for row in own])) for column in columns]
        lines.append([change, number(means[0]), *map(share, means[1:])])
    return markdown_table(["change", *(COLUMNS[column] for column in columns)], lines)
