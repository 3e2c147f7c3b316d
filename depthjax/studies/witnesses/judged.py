"""How far witnesses lie, and how much more than noise the eigendistortions are seen."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from depthjax.statistics import Finding, bootstrap
from depthjax.studies.rows import Row, among, seed_table
from depthjax.studies.witnesses.measured import EIGEN, FARTHEST

VISIBLE = 3
"""D from which a witness counts: an RMSE of a sixth of the range."""


def findings(
    rows: Sequence[Row], names: Sequence[str], networks: Sequence[str], ratio: float
) -> list[Finding]:
    """Of the farthest witness and the first eigendistortion at every layer.

    Args:
        rows: of all pictures.
        names: of the layers, shallow to deep.
        networks: their labels.
        ratio: ρ that a witness may have.
    """
    found = []
    if among(rows, kind=FARTHEST):
        words = f"D of the farthest image found at ρ ≤ {ratio:g} after 8 bits"
        for label in networks:
            for name in names:
                interval = bootstrap(distances(rows, label, name))
                found.append(
                    Finding("witness", f"{label}, {name}", words, f">= {VISIBLE}", interval)
                )
    if among(rows, kind=EIGEN, direction=1):
        words = "ρ / D of the first eigendistortion"
        for label in networks:
            for name in names:
                interval = bootstrap(gains(rows, label, name))
                found.append(Finding("witness", f"{label}, {name}", words, "> 1", interval))
    return found


def distances(rows: Sequence[Row], network: str, layer: str) -> Float[np.ndarray, "seeds images"]:
    """D of the farthest witnesses."""
    return seed_table(rows, "input_ratio", kind=FARTHEST, network=network, layer=layer)


def gains(rows: Sequence[Row], network: str, layer: str) -> Float[np.ndarray, "seeds images"]:
    """ρ / D of the first eigendistortion; both signs are one number, their mean."""
    return seed_table(
        rows,
        lambda row: row["embedding_ratio"] / row["input_ratio"],
        kind=EIGEN,
        direction=1,
        network=network,
        layer=layer,
    )
