"""Draws the filters of every network as pictures."""

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.figure import Figure

from depthjax import figures
from depthjax.analysis.filters import filter_images
from depthjax.studies.filters.judged import table
from depthjax.studies.filters.measured import DIRECTED, SMOOTH, WAVELET
from depthjax.studies.networks import Networks
from depthjax.studies.rows import Row


def draw(
    rows: Sequence[Row], networks: Networks, node: str, output: int
) -> Iterator[tuple[str, Figure]]:
    """The figure of all networks at the first seed, with its name.

    Args:
        rows: of all networks, at one layer.
        networks: with their weights.
        node: name of the convolution in the networks.
        output: the output channel whose filters are shown, unless the filters are of colours.
    """
    pictures = {
        label: filter_images(seeds[0].variables, node, output=output)
        for label, seeds in networks.items()
    }
    captions = {}
    for label in networks:
        wavelets = table(rows, WAVELET, label)
        told = {"smooth": table(rows, SMOOTH, label), "directed": table(rows, DIRECTED, label)}
        told |= {} if np.isnan(wavelets).all() else {"wavelet": wavelets}
        means = ", ".join(f"{name} {np.nanmean(values):.2g}" for name, values in told.items())
        captions[label] = f"{means}; {wavelets.shape[0]} × {wavelets.shape[1]}"
    channel = "" if next(iter(pictures.values())).shape[-1] == 3 else f", output {output}"
    title = f"{rows[0]['layer']}{channel}, seed {rows[0]['seed']}"
    yield "filters", figures.filter_grid(pictures, captions, title=title)
