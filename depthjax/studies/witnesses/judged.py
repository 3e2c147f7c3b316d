"""How far witnesses lie from the image, and how much more than noise eigendistortions change it."""

from collections.abc import Collection, Sequence

import numpy as np
from jaxtyping import Float

from depthjax.claims.findings import Finding
from depthjax.studies.networks import about
from depthjax.studies.rows import Row, among, seed_table
from depthjax.studies.witnesses.measured import EIGEN, FARTHEST


def findings(
    rows: Sequence[Row],
    names: Sequence[str],
    networks: Sequence[str],
    ratio: float,
    single: Collection[str] = (),
) -> list[Finding]:
    """What the farthest witness and the first eigendistortion say, at every layer.

    A farther witness, or a stronger distortion, may exist: what a search has not found is no
    contradiction.

    Args:
        rows: of all pictures.
        names: of the layers, shallow to deep.
        networks: their labels.
        ratio: the largest ρ that a witness may have.
        single: those that are one trained network (`depthjax.studies.networks`).
    """
    farthest = f"D of the farthest image found at ρ ≤ {ratio:g} after 8 bits"
    first = "ρ / D of the first eigendistortion"
    statistics = (
        (bool(among(rows, kind=FARTHEST)), farthest, "visible", distances),
        (bool(among(rows, kind=EIGEN, direction=1)), first, "above_noise", gains),
    )
    return [
        about(
            *(label, "witness", part, values(rows, label, name), single),
            layer=name,
            quantity=quantity,
            search=True,
        )
        for there, quantity, part, values in statistics
        if there
        for label in networks
        for name in names
    ]


def distances(rows: Sequence[Row], network: str, layer: str) -> Float[np.ndarray, "seeds images"]:
    """D of the farthest witness of each image."""
    return seed_table(rows, "input_ratio", kind=FARTHEST, network=network, layer=layer)


def gains(rows: Sequence[Row], network: str, layer: str) -> Float[np.ndarray, "seeds images"]:
    """ρ / D of the first eigendistortion of each image: the mean of both signs."""
    return seed_table(
        rows,
        lambda row: row["embedding_ratio"] / row["input_ratio"],
        kind=EIGEN,
        direction=1,
        network=network,
        layer=layer,
    )
