"""What every study finds in numbers made by hand."""

from collections.abc import Callable

import numpy as np
from study_rows import (
    JACOBIAN_LAYERS,
    TRAINED_ON,
    WITNESS_ROWS,
    blocks,
    compared,
    control_rows,
    filter_rows,
    gradient_rows,
    jacobian_rows,
    last_iterates,
    manifold_rows,
    prediction_rows,
    preimage_rows,
    solution_rows,
)
from width_rows import (
    WIDTHS,
    depth_rows,
    late_width_rows,
    null_space_rows,
    relu_rows,
    second_relu_rows,
    smooth_rows,
)

from depthjax.claims.findings import Finding
from depthjax.studies.comparison import judged as comparison
from depthjax.studies.controls import judged as controls
from depthjax.studies.depth import judged as depth
from depthjax.studies.filters import judged as filters
from depthjax.studies.gradients import judged as gradients
from depthjax.studies.jacobian import judged as jacobian
from depthjax.studies.manifold import judged as manifold
from depthjax.studies.prediction import judged as prediction
from depthjax.studies.preimages import judged as preimages
from depthjax.studies.recipe import judged as recipe
from depthjax.studies.uniqueness import judged as uniqueness
from depthjax.studies.widths import judged as widths
from depthjax.studies.widths.measured import CG, PAPER
from depthjax.studies.witnesses import judged as witnesses


def _widths() -> list[Finding]:
    rows = [*null_space_rows(CG), *null_space_rows(PAPER), *depth_rows(), *relu_rows()]
    rows += [*late_width_rows(), *second_relu_rows(), *smooth_rows()]
    return widths.findings(WIDTHS, rows, 48, 48)


STUDIES: dict[str, Callable[[], list[Finding]]] = {
    "comparison": lambda: comparison.findings(compared()),
    "controls": lambda: controls.findings(
        [
            *control_rows("orthogonal", D=0.01, input_distance=1.0, lost=0.0),
            *control_rows("default", D=9.0, input_distance=2.0, lost=0.0, predicted=2.0),
        ]
    ),
    "depth": lambda: depth.findings([blocks(), blocks("resnet34", d=np.linspace(2, 9, 8))]),
    "filters": lambda: [
        *filters.findings(filter_rows(untrained=1.0, noise=1.0, photos=5.0), "untrained"),
        *filters.findings(filter_rows(True, untrained=0.4, photos=0.9, shuffled=0.4), "untrained"),
    ],
    "gradients": lambda: gradients.findings(gradient_rows(), ("a", "b"), ["untrained"]),
    "jacobian": lambda: jacobian.findings(jacobian_rows(), JACOBIAN_LAYERS, ["untrained"]),
    "manifold": lambda: manifold.findings(
        manifold_rows(("fc1", "fc2")), ("fc1", "fc2"), "untrained", TRAINED_ON
    ),
    "prediction": lambda: [
        *prediction.findings(prediction_rows(False, 0.1)),
        *prediction.findings(prediction_rows(True, 0.001)),
    ],
    "preimages": lambda: preimages.findings(
        [
            *preimage_rows(10, 1.5),
            *preimage_rows(10, 1.5, reading="code"),
            *preimage_rows(3, 1.5, trained_on="photographs"),
            *preimage_rows(3, 1.5, trained_on="noise"),
        ]
    ),
    "recipe": lambda: recipe.findings(last_iterates(), "resnet18", ["untrained"]),
    "uniqueness": lambda: uniqueness.findings(solution_rows(4.0), ("fc1", "fc2"), ["net"], 0.1),
    "widths": _widths,
    "witnesses": lambda: witnesses.findings(WITNESS_ROWS, ["fc1"], ["net"], 0.1),
}
"""By the name of its folder in `depthjax/studies`, what a study finds in numbers made by hand."""
