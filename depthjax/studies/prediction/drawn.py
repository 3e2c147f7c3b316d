"""Draws the predicted descents of linear networks, and the ends of descents of the others."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from depthjax import figures
from depthjax.analysis.prediction import PredictedDescents
from depthjax.analysis.r_squared import r_squared
from depthjax.figures.prediction import Curve, Pairs
from depthjax.studies.prediction.judged import ends_of, layers_of
from depthjax.studies.rows import Row

SHOWN_IMAGES = 3
"""Number of images in the figure of curves."""


def curve_of(descents: PredictedDescents) -> Curve:
    """m_i along the descents of the first images, for the figure of curves."""
    predictions = descents.predictions[:SHOWN_IMAGES]
    trajectory = descents.inversion.trajectory
    return Curve(
        trajectory.step,
        trajectory.input_distance[:, :SHOWN_IMAGES],
        np.stack([prediction.input_distance for prediction in predictions], 1),
        np.array([prediction.lost for prediction in predictions]),
    )


def draw(
    rows: Sequence[Row], curves: Mapping[str, Mapping[str, Curve]], seed: int
) -> Iterator[tuple[str, Figure]]:
    """The figures with their names.

    Args:
        rows: of all layers.
        curves: of linear networks, by network and layer.
        seed: of the weights of these.
    """
    for network, panels in curves.items():
        title = f"{network} MLP, seed {seed}"
        yield f"curves_{network}", figures.predicted_curves(panels, title=title)
    ends: dict[str, dict[str, Pairs]] = {}
    for network, layer, affine in layers_of(rows):
        if not affine:
            predicted, measured = ends_of(rows, network, layer)
            pairs = Pairs(predicted, measured, r_squared(predicted, measured))
            ends.setdefault(network, {})[layer] = pairs
    if ends:
        yield "predicted_against_measured", figures.predicted_against_measured(ends)
