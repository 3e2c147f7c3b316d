"""Draws the numbers against depth, the singular values, and the images of a small ball."""

from collections.abc import Iterator, Mapping, Sequence

from matplotlib.figure import Figure

from depthjax import figures
from depthjax.figures.text import averages, counted
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
    """The figures with their names; without singular values only the first.

    Args:
        pieces: measurements by network, seed and layer.
        rows: from `finished_rows`.
        names: of the layers, shallow to deep.
        networks: labels of the networks.
        seeds: of the weights; the ball is drawn for the first.
        images: number of images.
    """
    sample = f"{counted(len(seeds), 'weight seed')} × {counted(images, 'image')}"
    panels = intervals(rows, names, networks)
    note = averages(panels.values(), f"n = {sample}")
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
            [
                _within_rank(curve, row["rank_bound"])
                for seed in seeds
                if (label, seed, name) in pieces  # one trained network has the first alone
                for row, curve in zip(
                    pieces[label, seed, name].rows, pieces[label, seed, name].curves, strict=False
                )
            ]
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


def _within_rank(curve: Sequence[Sequence[float]], bound: int) -> list[list[float]]:
    """A `SpectralCurve` whose counts are at most the number of directions that can pass."""
    levels, *counts = curve
    return [list(levels), *([min(count, float(bound)) for count in ends] for ends in counts)]
