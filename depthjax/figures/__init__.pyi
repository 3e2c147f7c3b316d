from .comparison import networks_against_depth
from .controls import controls_against_depth
from .depth import BlockColumn, blocks_against_depth
from .distances import distances_against_depth
from .filters import filter_grid
from .gallery import gallery
from .iterates import iterates
from .learning import learning_curve
from .manifold import nearness_against_depth
from .matrix import ratio_matrix
from .prediction import predicted_against_measured, predicted_curves
from .residual import residual_maps
from .saving import save_figure
from .singular_values import ball_sections, singular_value_curves
from .trajectories import trajectories
from .widths import distances_against_step, recovery_against_width, steps_to_recover
from .workers import throughput_against_workers

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
    "residual_maps",
    "save_figure",
    "singular_value_curves",
    "steps_to_recover",
    "throughput_against_workers",
    "trajectories",
]
