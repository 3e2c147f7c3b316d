"""Draws a sheet of witnesses and eigendistortions for each network."""

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.figure import Figure

from depthjax import figures
from depthjax.studies.rows import Row
from depthjax.studies.witnesses.measured import EIGEN, FARTHEST, TOWARDS, WitnessPicture

AMPLIFIED = 8
"""Factor by which differences of eigendistortions are shown larger."""

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
    """A sheet for each network, with its name.

    Args:
        made: all pictures.
        model: name of the architecture.
        names: of the layers, shallow to deep.
        networks: labels of the networks.
        seed: of the weights that are shown.
        labels: of the photographs; the first photograph is shown.
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
    """The sheet of one network: a row for each layer."""
    # Reversed, so that of several pictures of one kind and layer the first is kept.
    chosen = {
        (picture.row["kind"], picture.row["layer"]): picture
        for picture in reversed(made)
        if (picture.row["network"], picture.row["seed"]) == (network, seed)
        and picture.row["image"] == labels[0]
    }

    def column(kind: str) -> list[WitnessPicture]:
        return [chosen[kind, name] for name in names]

    empty = [""] * len(names)
    targets = np.stack([witness.target for witness in column(FARTHEST)])
    columns = []
    for kind, heading, times, words in (
        (TOWARDS, f"witness towards {labels[1 % len(labels)]}", 0.5, "difference / 2"),
        (FARTHEST, "witness, as far as possible", 0.5, "difference / 2"),
        (EIGEN, "eigendistortion", AMPLIFIED, f"difference × {AMPLIFIED}"),
    ):
        if (kind, names[0]) in chosen:
            pictures = np.stack([witness.picture for witness in column(kind)])
            captions = [_caption(witness.row) for witness in column(kind)]
            difference = 0.5 + times * (pictures - targets)
            columns += [(heading, pictures, captions), (words, difference, empty)]
    headings, stacks, below = zip(*columns, strict=True)
    return figures.gallery(
        names,
        targets,
        None,
        headings,
        np.stack(stacks),
        {},
        seen=[empty, *below],
        title=f"{model}, {network}: what layers take for {labels[0]}, and what they see best",
        note=_NOTE,
    )


def _caption(row: Row) -> str:
    """The numbers of a picture in two lines."""
    ratios = f"D {row['input_ratio']:.2f}  ρ {row['embedding_ratio']:.3f}"
    return f"{ratios}\n{row['psnr']:.1f} dB"
