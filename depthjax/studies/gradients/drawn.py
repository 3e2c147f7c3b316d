"""Draws the statistics of the gradient against depth."""

from collections.abc import Iterator, Sequence

from matplotlib.figure import Figure

from depthjax import figures
from depthjax.figures.text import averages
from depthjax.studies.gradients.judged import AXES, intervals
from depthjax.studies.rows import Row


def draw(
    rows: Sequence[Row], names: Sequence[str], networks: Sequence[str], sample: str
) -> Iterator[tuple[str, Figure]]:
    """The figure with its name.

    Args:
        rows: of every place and image.
        names: of the layers, shallow to deep.
        networks: their labels.
        sample: how many seeds and images there are, in words.
    """
    panels = intervals(rows, names, networks)
    yield (
        "gradients",
        figures.networks_against_depth(
            networks,
            names,
            panels,
            logarithmic=[axis for axis, (_, logarithmic) in AXES.items() if logarithmic],
            note=averages(panels.values(), f"n = {sample}"),
            title="The gradient where a descent begins",
        ),
    )
