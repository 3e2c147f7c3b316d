"""A sheet of pictures for each network: what its layers take for a photograph, and see best."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from depthjax import figures
from depthjax.studies.rows import Row
from depthjax.studies.witnesses.measured import EIGEN, FARTHEST, TOWARDS, WitnessPicture

AMPLIFIED = 8
"""Differences of eigendistortions."""

_NOTE = (
    "D: distance of the images, ρ: of their embeddings (1: as far as a noisy copy of 25 dB); dB:"
    " PSNR. All of the 8-bit files. Differences are about grey."
)


def draw(
    made: Sequence[WitnessPicture],
    model: str,
    names: Sequence[str],
    networks: Sequence[str],
    seed: int,
    labels: Sequence[str],
) -> Iterator[tuple[str, Figure]]:
    """A sheet of each network with its name.

    Args:
        made: all pictures.
        model: name of the architecture.
        names: of the layers, shallow to deep.
        networks: their labels.
        seed: of the weights that are shown.
        labels: of the photographs, the first of which is shown.
    """
    for network in networks:
        yield f"witnesses_{network}", _sheet(made, model, names, network, seed, labels)


def _sheet(
    made: Sequence[WitnessPicture],
    model: str,
    names: Sequence[str],
    network: str,
    seed: int,
    labels: Sequence[str],
) -> Figure:
    """A row for each layer."""
    chosen = {
        (one.row["kind"], one.row["layer"]): one
        for one in reversed(made)  # the first of each counts
        if (one.row["network"], one.row["seed"]) == (network, seed)
        and one.row["image"] == labels[0]
    }

    def column(kind: str) -> list[WitnessPicture]:
        return [chosen[kind, name] for name in names]

    empty = [""] * len(names)
    targets = _stacked([one.target for one in column(FARTHEST)])
    columns = [("image", targets, empty)]
    for kind, heading, times, words in (
        (TOWARDS, f"witness towards {labels[1 % len(labels)]}", 0.5, "difference / 2"),
        (FARTHEST, "witness, as far as possible", 0.5, "difference / 2"),
        (EIGEN, "eigendistortion", AMPLIFIED, f"difference × {AMPLIFIED}"),
    ):
        if (kind, names[0]) in chosen:
            pictures = _stacked([one.picture for one in column(kind)])
            captions = [_caption(one.row) for one in column(kind)]
            difference = 0.5 + times * (pictures - targets)
            columns += [(heading, pictures, captions), (words, difference, empty)]
    headings, stacks, below = zip(*columns, strict=True)
    return figures.witness_sheet(
        *(names, headings, _stacked(list(stacks)), below),
        title=f"{model}, {network}: what layers take for {labels[0]}, and what they see best",
        note=_NOTE,
    )


def _stacked(pictures: Sequence[np.ndarray]) -> Float[np.ndarray, "..."]:
    return np.stack(pictures)


def _caption(row: Row) -> str:
    """The numbers of a picture in two lines."""
    ratios = f"D {row['input_ratio']:.2f}  ρ {row['embedding_ratio']:.3f}"
    return f"{ratios}\n{row['psnr']:.1f} dB"
