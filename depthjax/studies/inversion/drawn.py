"""The figures of a run of inversions."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from depthjax import figures
from depthjax.analysis.residual import Residual, holding_half
from depthjax.folders.inversions import Run


def draw(
    run: Run,
    matrix: Float[np.ndarray, "recovered measured restarts images"],
    residuals: Mapping[str, Residual],
) -> Iterator[tuple[str, Any]]:
    """The figures of a finished run, with the names of their files.

    Args:
        run: finished.
        matrix: ρ, from `depthjax.studies.inversion.measured.ratio_matrix`.
        residuals: of layers that are maps, from `depthjax.studies.inversion.measured.residuals`.
    """
    names = list(run.layers)
    rho, d = run.stack("embedding_ratio"), run.stack("input_ratio")
    r2 = run.stack("luminance_r2")
    numbers = {"D": d[:, 0], "r²": r2[:, 0], "ρ": rho[:, 0]}
    first = np.nan_to_num(run.stack("images")[:, 0])
    baselines = {
        "start": run.stack("baseline_start")[0],
        "flat mean colour": run.stack("baseline_flat")[0],
        "blur σ = 8 px": run.stack("baseline_blur")[0],
    }
    yield (
        "gallery",
        figures.gallery(run.image_names, run.targets, run.starts[0], names, first, numbers),
    )
    yield "depth", figures.distances_against_depth(names, d, rho, baselines, luminance_r2=r2)
    yield (
        "trajectories",
        figures.trajectories(
            names,
            [arrays["trajectory_step"] for arrays in run.layers.values()],
            [_by_descent(arrays["trajectory_embedding_ratio"]) for arrays in run.layers.values()],
            [_by_descent(arrays["trajectory_input_ratio"]) for arrays in run.layers.values()],
        ),
    )
    yield "ratio_matrix", figures.ratio_matrix(names, names, np.nanmedian(matrix, axis=(2, 3)))
    if residuals:
        yield (
            "residuals",
            figures.residual_maps(
                run.image_names,
                run.targets,
                {name: one.positions for name, one in residuals.items()},
                {name: run.layers[name]["embedding_ratio"][0] for name in residuals},
                {name: where_it_sits(one) for name, one in residuals.items()},
            ),
        )


def _by_descent(trajectory: Float[np.ndarray, "t *rest"]) -> Float[np.ndarray, "t descents"]:
    """A trajectory with one column for each descent: images × restarts."""
    return trajectory.reshape(len(trajectory), -1)


def where_it_sits(residual: Residual) -> list[str]:
    """How few channels and positions hold half of the residual of each image.

    As shares, whose lines are as short in wide layers of large images.
    """
    positions, channels = (np.asarray(holding_half(shares)) for shares in residual)
    every = residual.channels.shape[1], residual.positions[0].size
    return [
        ""
        if np.isnan(c)
        else f"half in {_percent(float(c), every[0])} of channels\n"
        f"and {_percent(float(p), every[1])} of positions"
        for c, p in zip(channels, positions, strict=True)
    ]


def _percent(count: float, of: int) -> str:
    return "<1 %" if 100 * count < of else f"{100 * count / of:.0f} %"
