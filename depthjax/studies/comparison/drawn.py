"""Draws the images recovered from every network, and the numbers that were measured on them."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from depthjax import figures
from depthjax.figures.text import averages, counted
from depthjax.folders.inversions import load_run
from depthjax.studies.comparison.matched import images_at
from depthjax.studies.comparison.measured import chosen, recovered_images
from depthjax.studies.comparison.numbers import Comparison, intervals
from depthjax.studies.comparison.setting import BLURRED
from depthjax.studies.descents import CONVERGING, Descents

_MATCHED = "matched"
_TITLES = {
    CONVERGING: "converging descent",
    _MATCHED: "at ρ = {ratio:g} (–: not reached; the nearest image)",
    BLURRED: "the paper's recipe with blur",
}
_SIGNS = {"D": "input_ratio", "r²": "luminance_r2", "ρ": "embedding_ratio"}
_SIGNS_MATCHED = {"r²": "luminance_r2_at_ratio", "edges": "gradient_r2_at_ratio"}


def draw(
    compared: Comparison,
    descents: Sequence[Descents],
    targets: Float[np.ndarray, "b h w c"],
    starts: Float[np.ndarray, "*leading h w c"],
    *,
    ratio: float,
) -> Iterator[tuple[str, Figure]]:
    """The figures with their names.

    Args:
        compared: the numbers.
        descents: the runs that the numbers are from.
        targets, starts: a and a_0; of several restarts the first is shown.
        ratio: ρ at which images are compared.
    """
    first = starts.reshape(-1, *targets.shape)[0]
    for of, shown in ((CONVERGING, (CONVERGING, _MATCHED)), (BLURRED, (BLURRED,))):
        runs = [
            chosen(load_run(descent.folder), of)
            for descent in descents
            if (descent.seed, descent.condition) == (compared.seeds[0], of)
        ]
        for condition in shown:
            for image, figure in _galleries(condition, of, compared, runs, targets, first, ratio):
                yield f"networks_{condition}_{image}", figure
    yield "claims", _claims(compared, ratio)


def _galleries(
    condition: str,
    of: str,
    compared: Comparison,
    runs: Sequence[Mapping[str, Mapping[str, np.ndarray]]],
    targets: Float[np.ndarray, "b h w c"],
    starts: Float[np.ndarray, "b h w c"],
    ratio: float,
) -> Iterator[tuple[str, Figure]]:
    """For each image a gallery of all networks with weights of the first seed.

    Args:
        condition: what is shown, of `_TITLES`.
        of: the condition that it is made of.
        compared: the numbers.
        runs: of each network, by layer what one restart has recovered, from `chosen`.
        targets, starts: a and a_0.
        ratio: ρ at which images are compared.
    """
    matched = condition == _MATCHED
    level = np.full(len(targets), ratio)
    images = np.array(
        [
            [
                images_at(arrays, level) if matched else recovered_images(arrays, condition)
                for arrays in run.values()
            ]
            for run in runs
        ]
    )
    signs = _SIGNS_MATCHED if matched else _SIGNS
    shown = _TITLES[condition].format(ratio=ratio)
    numbers = {sign: compared.values[of, name][:, 0] for sign, name in signs.items()}  # [N, L, B]
    for index, image in enumerate(compared.images):
        repeated = (len(compared.networks), *targets.shape[1:])
        yield (
            image,
            figures.gallery(
                compared.networks,
                np.broadcast_to(targets[index], repeated),
                np.broadcast_to(starts[index], repeated),
                compared.layers,
                images[:, :, index].swapaxes(0, 1),
                {sign: table[:, :, index].T for sign, table in numbers.items()},
                title=f"{image}, {shown}, seed {compared.seeds[0]}",
            ),
        )


def _claims(compared: Comparison, ratio: float) -> Figure:
    """The quantities of claims C10 and C11 against depth."""
    panels = {
        "ρ, converged": (CONVERGING, "embedding_ratio", True),
        "D at ρ = 0.1": (CONVERGING, "input_ratio_at_0.1", True),
        "elasticity": (CONVERGING, "elasticity", False),
        f"SSIM at ρ = {ratio:g}": (CONVERGING, "ssim_at_ratio", False),
        f"r² at ρ = {ratio:g}": (CONVERGING, "luminance_r2_at_ratio", False),
    }
    tables = {
        name: intervals(compared, condition, quantity, logarithmic=logarithmic)
        for name, (condition, quantity, logarithmic) in panels.items()
    }
    sample = counted(len(compared.seeds), "seed"), counted(len(compared.images), "image")
    return figures.networks_against_depth(
        compared.networks,
        compared.layers,
        tables,
        logarithmic=[name for name, panel in panels.items() if panel[2]],
        at_edge=("ρ, converged", "D at ρ = 0.1"),
        note=averages(tables.values(), f"n = {' × '.join(sample)}"),
    )
