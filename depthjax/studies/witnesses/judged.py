"""How far witnesses lie from the image, and how much more than noise eigendistortions change it."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from depthjax.claims.findings import Bound, Finding
from depthjax.statistics import bootstrap
from depthjax.studies.networks import aside_of
from depthjax.studies.rows import Row, among, seed_table
from depthjax.studies.witnesses.measured import EIGEN, FARTHEST

VISIBLE = 3
"""D from which a witness looks different: an RMSE of a sixth of the range."""


def findings(
    rows: Sequence[Row], names: Sequence[str], networks: Sequence[str], ratio: float
) -> list[Finding]:
    """What the farthest witness and the first eigendistortion say, at every layer.

    Args:
        rows: of all pictures.
        names: of the layers, shallow to deep.
        networks: their labels.
        ratio: the largest ρ that a witness may have.
    """
    farthest = f"D of the farthest image found at ρ ≤ {ratio:g} after 8 bits"
    first = "ρ / D of the first eigendistortion"
    statistics = (
        (bool(among(rows, kind=FARTHEST)), farthest, Bound.at_least(VISIBLE), distances),
        (bool(among(rows, kind=EIGEN, direction=1)), first, Bound.above(1), gains),
    )
    return [
        Finding(
            claim="witness",
            part="visible",
            network=label,
            layer=name,
            quantity=quantity,
            bound=bound,
            interval=bootstrap(values(rows, label, name)),
            aside=aside_of(label),
        )
        for measured, quantity, bound, values in statistics
        if measured
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
