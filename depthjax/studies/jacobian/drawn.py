"""Numbers against depth, spectra, and what becomes of a small ball of inputs."""

from collections.abc import Iterator, Mapping, Sequence

from matplotlib.figure import Figure

from depthjax import figures
from depthjax.studies.jacobian.judged import intervals, known
from depthjax.studies.jacobian.measured import Piece
from depthjax.studies.rows import Row


def draw(
    pieces: Mapping[tuple[str, int, str], Piece],
    rows: Sequence[Row],
    names: Sequence[str],
    networks: Sequence[str],
    seeds: Sequence[int],
    images: int,
) -> Iterator[tuple[str, Figure]]:
    """The figures with their names; without spectra only the first.

    Args:
        pieces: by network, seed and layer.
        rows: from `finished_rows`.
        names: of the layers, shallow to deep.
        networks: their labels.
        seeds: of the weights; sections are of the first.
        images: how many were asked for.
    """
    sample = f"{len(seeds)} weight seeds × {images} images"
    panels = intervals(rows, names, networks)
    note = f"n = {sample}, 95 % intervals"
    yield (
        "depth",
        figures.networks_against_depth(
            networks, names, panels, logarithmic=list(panels), note=note
        ),
    )
    if not known(rows, "sigma_1"):
        return
    curves = {
        label: [
            [curve for seed in seeds for curve in pieces[label, seed, name].curves]
            for name in names
        ]
        for label in networks
    }
    note = f"one line for each of {sample}"
    yield "spectra", figures.singular_value_curves(names, curves, rows[0]["inputs"], note=note)
    sections = {
        label: [pieces[label, seeds[0], name].sections[0] for name in names] for label in networks
    }
    what = f"What becomes of a circle of one grey level around {rows[0]['image']}"
    yield "ball", figures.ball_sections(names, sections, note=what)
