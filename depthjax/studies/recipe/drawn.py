"""Draws how near the paper's recipe comes, and what its images show, at every layer and rate."""

from collections.abc import Iterator

from matplotlib.figure import Figure

from depthjax import figures
from depthjax.figures.text import averages, counted
from depthjax.statistics import estimates
from depthjax.studies.recipe.measured import LastIterates

_PANELS = {
    "ρ, last iterate": ("embedding_ratio", True),
    "ρ, best iterate": ("best_embedding_ratio", True),
    "r², last iterate": ("luminance_r2", False),
}
"""By its name on the axis: the quantity, and whether its mean is geometric."""


def draw(found: LastIterates, model: str, size: int) -> Iterator[tuple[str, Figure]]:
    """A figure for each network, with its name: a line for each rate.

    Args:
        found: the numbers.
        model: the name of the architecture.
        size: height and width of the images.
    """
    for label in found.networks:
        panels = {
            name: estimates(
                [
                    [found.of(rate, quantity, label, layer) for layer in found.layers]
                    for rate in found.rates
                ],
                logarithmic=log,
            )
            for name, (quantity, log) in _PANELS.items()
        }
        lines = [f"{rate} × published" if rate[0].isdigit() else rate for rate in found.rates]
        yield (
            f"recipe_{label}",
            figures.networks_against_depth(
                lines,
                found.layers,
                panels,
                logarithmic=[name for name, (_, log) in _PANELS.items() if log],
                note=averages(
                    panels.values(),
                    f"n = {counted(len(found.seeds), 'weight seed')} ×"
                    f" {counted(len(found.images), 'image')} of {size}×{size}",
                ),
                title=f"The paper's recipe: {model}, {label}",
            ),
        )
