"""Figures of recovered images, of their distances, and of the studies.

Every function takes arrays and labels and returns a `matplotlib.figure.Figure`; `iterates` returns
an animation. Nothing is shown, no global setting changes, and only `save_figure` writes files.
Layers are given shallow to deep.

D and ρ are those of `depthjax.inversion.metrics`: D = m_i / m_i' is the distance of an image from
the target (0: recovered), ρ = m_g / m_r the distance of its embedding. The unit of both is the
distance of a lightly noised copy.

Which script draws what:
    invert.py: `gallery`, `distances`, `trajectories`, `matrix`, and `storyboard` for films
    compare.py: `gallery`, `comparison`
    jacobian.py: `comparison`, `singular_values`
    controls.py, depth.py, filters.py, manifold.py, prediction.py, widths.py, witnesses.py: the
        module of the same name
    train.py: `learning`; sweep.py: `workers`; notebooks: `iterates` and many of the others
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
