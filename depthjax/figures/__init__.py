"""Figures of what was recovered, how near it is, and how the descents went.

Every function takes plain arrays and labels and returns a `matplotlib.figure.Figure`, `iterates` an
animation of one; nothing is shown, no global setting changes, and only `save_figure` writes. Layers
are given shallow to deep.

D and ρ are those of `depthjax.inversion.metrics`: D = m_i / m_i' says how far the image is from
the target (0: recovered), ρ = m_g / m_r how far its embedding is, both in units of a lightly
noised copy.
"""

from depthjax.figures.comparison import networks_against_depth
from depthjax.figures.controls import controls_against_depth
from depthjax.figures.depth import BlockColumn, blocks_against_depth
from depthjax.figures.distances import distances_against_depth
from depthjax.figures.filters import filter_grid
from depthjax.figures.gallery import gallery
from depthjax.figures.iterates import iterates
from depthjax.figures.learning import learning_curve
from depthjax.figures.manifold import nearness_against_depth
from depthjax.figures.matrix import ratio_matrix
from depthjax.figures.prediction import predicted_against_measured, predicted_curves
from depthjax.figures.saving import save_figure
from depthjax.figures.singular_values import ball_sections, singular_value_curves
from depthjax.figures.trajectories import trajectories
from depthjax.figures.widths import distances_against_step, recovery_against_width, steps_to_recover
from depthjax.figures.witnesses import witness_sheet
from depthjax.figures.workers import throughput_against_workers

__all__ = [
    "BlockColumn",
    "ball_sections",
    "blocks_against_depth",
    "controls_against_depth",
    "distances_against_depth",
    "distances_against_step",
    "filter_grid",
    "gallery",
    "iterates",
    "learning_curve",
    "nearness_against_depth",
    "networks_against_depth",
    "predicted_against_measured",
    "predicted_curves",
    "ratio_matrix",
    "recovery_against_width",
    "save_figure",
    "singular_value_curves",
    "steps_to_recover",
    "throughput_against_workers",
    "trajectories",
    "witness_sheet",
]
