"""Curves of linear networks, ends of the others."""

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
"""In the figure of curves, of the first seed."""


def curve_of(found: PredictedDescents) -> Curve:
    """m_i on the way of a few images, for the figure of a network's curves."""
    told, trajectory = found.predictions[:SHOWN_IMAGES], found.inversion.trajectory
    return Curve(
        trajectory.step,
        trajectory.input_distance[:, :SHOWN_IMAGES],
        np.stack([one.input_distance for one in told], 1),
        np.array([one.lost for one in told]),
    )


def draw(
    rows: Sequence[Row], curves: Mapping[str, Mapping[str, Curve]], seed: int
) -> Iterator[tuple[str, Figure]]:
    """The figures with their names.

    Args:
        rows: of all layers.
        curves: of linear networks, by network and layer.
        seed: of the weights that the curves are of.
    """
    for network, panels in curves.items():
        title = f"{network} MLP, seed {seed}"
        yield f"curves_{network}", figures.predicted_curves(panels, title=title)
    ends: dict[str, dict[str, Pairs]] = {}
    for network, layer, affine in layers_of(rows):
        if not affine:
            told, seen = ends_of(rows, network, layer)
            ends.setdefault(network, {})[layer] = Pairs(told, seen, r_squared(told, seen))
    if ends:
        yield "predicted_against_measured", figures.predicted_against_measured(ends)
