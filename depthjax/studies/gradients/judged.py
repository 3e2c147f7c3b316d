"""Claim C18: the gradient's general statistics hardly change from the first layer to the last."""

from collections.abc import Collection, Sequence

import numpy as np
from jaxtyping import Float

from depthjax.claims.findings import Finding
from depthjax.statistics import estimates
from depthjax.studies.gradients.measured import NOISY_COPY, START
from depthjax.studies.networks import about
from depthjax.studies.rows import Row, seed_table

_PARTS = {
    "std": ("same_size", "standard deviation of the gradient"),
    "kurtosis": ("same_shape", "kurtosis of the gradient"),
}
"""By the column: the part, and what it is in words."""


def findings(
    rows: Sequence[Row],
    names: Sequence[str],
    networks: Sequence[str],
    single: Collection[str] = (),
) -> list[Finding]:
    """The last layer over the first, where a descent begins; near its end as a contrast.

    Args:
        rows: of every place and image.
        names: of the layers, shallow to deep; nothing is said of fewer than two.
        networks: their labels.
        single: those that are one trained network (`depthjax.studies.networks`).
    """
    if len(names) < 2:
        return []
    results = []
    for label in networks:
        for where in (START, NOISY_COPY):
            for column, (part, says) in _PARTS.items():
                first, last = (
                    seed_table(rows, column, network=label, layer=layer, where=where)
                    for layer in (names[0], names[-1])
                )
                with np.errstate(divide="ignore", invalid="ignore"):
                    ratio = last / first
                results.append(
                    about(
                        *(label, "C18", part, ratio, single),
                        counts=where == START,
                        logarithmic=True,
                        layer=f"{names[-1]} / {names[0]}",
                        note=f"at the {where}",
                        quantity=says,
                        detail="last over first layer",
                    )
                )
    return results


AXES = {
    "σ of the gradient": ("std", True),
    "kurtosis": ("kurtosis", True),
    "correlation of\nneighbours": ("neighbours", False),
}
"""By the name on its axis: the column, and whether its mean is geometric."""


def intervals(
    rows: Sequence[Row], names: Sequence[str], networks: Sequence[str]
) -> dict[str, Float[np.ndarray, "n l 3"]]:
    """Estimate and interval of each statistic at the start, by the name on its axis."""
    return {
        axis: estimates(
            [
                [seed_table(rows, column, network=label, layer=name, where=START) for name in names]
                for label in networks
            ],
            logarithmic=logarithmic,
        )
        for axis, (column, logarithmic) in AXES.items()
    }
