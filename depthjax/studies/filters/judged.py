"""C15: a network trained on noise keeps no structure. C17: training makes wavelets at conv1.

Filters have no structure if they are as smooth and as directed as untrained ones, their means
taken off; other trained networks are a contrast. The first convolution is another claim's: its
filters are wavelets if a Gabor function explains more of them than of untrained and shuffled ones.
"""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from depthjax.claims.bound import Bound
from depthjax.claims.cells import Cells
from depthjax.claims.findings import Finding
from depthjax.claims.paper import bound_of
from depthjax.studies.comparison.setting import NOISE
from depthjax.studies.filters.measured import DIRECTED, SMOOTH, WAVELET
from depthjax.studies.networks import ONE_NETWORK, aside_of
from depthjax.studies.rows import Row, seed_table

SHUFFLED = "shuffled"
"""The label of a trained network whose kernels were shuffled within themselves."""

STRUCTURE = {
    "as_smooth": (SMOOTH, "low-frequency power of filters, means taken off"),
    "as_directed": (DIRECTED, "anisotropy of filters, means taken off"),
}
"""The parts of C15: the column of each, and what it is called."""


def table(rows: Sequence[Row], column: str, network: str) -> Float[np.ndarray, "seeds channels"]:
    """A number of one network's filters."""
    return seed_table(rows, column, column="output_channel", network=network)


def findings(
    rows: Sequence[Row], untrained: str | None, single: Collection[str] = ()
) -> list[Finding]:
    """Every trained network beside the untrained one: C15, or C17 where the image is seen itself.

    Args:
        rows: of all networks, at one layer.
        untrained: what the others are compared with; without it there are no findings.
        single: labels that are one trained network (`depthjax.studies.networks`).
    """
    if untrained is None:
        return []
    labels = dict.fromkeys(row["network"] for row in rows)
    judge = _wavelets if rows[0]["first"] else _structure
    trained = [label for label in labels if label != untrained]
    return [
        finding
        for label in trained
        for finding in judge(rows, label, untrained, label in single, trained)
    ]


def _structure(
    rows: Sequence[Row], label: str, untrained: str, single: bool, _: Sequence[str]
) -> list[Finding]:
    """C15: one network over the untrained one; of others than the one trained on noise a contrast.

    A control of untrained weights differs by chance alone.
    """
    aside = aside_of(label) or ("" if label == NOISE else "contrast")
    return [
        Finding(
            claim="C15",
            part=part if not aside else "",
            quantity=f"{words}, trained / untrained",
            bound=bound_of("C15", part),
            measured=Cells.of(
                table(rows, column, label) / table(rows, column, untrained), logarithmic=True
            ),
            aside=aside,
            **_where(rows, label, single),
        )
        for part, (column, words) in STRUCTURE.items()
    ]


def _wavelets(
    rows: Sequence[Row], label: str, untrained: str, single: bool, trained: Sequence[str]
) -> list[Finding]:
    """C17: of a network trained on photographs, minus the untrained and the shuffled one."""
    if label == SHUFFLED:
        return []
    aside = aside_of(label) or ("contrast" if label == NOISE else "")
    others = {"beyond_untrained": untrained}
    others |= {"beyond_shuffled": SHUFFLED} if SHUFFLED in trained else {}
    if np.isnan(table(rows, WAVELET, label)).all():
        return []
    made = [
        Finding(
            claim="C17",
            part=part if not aside else "",
            quantity="share of a filter that a Gabor function explains",
            detail=f"{label} − {other}",
            bound=bound_of("C17", part),
            measured=Cells.of(table(rows, WAVELET, label) - table(rows, WAVELET, other)),
            aside=aside,
            **_where(rows, label, single),
        )
        for part, other in others.items()
    ]
    ratio = table(rows, DIRECTED, label) / table(rows, DIRECTED, untrained)
    beside = Finding(
        claim="C17",
        quantity="anisotropy of filters, means taken off, trained / untrained",
        bound=Bound.above(1),
        measured=Cells.of(ratio, logarithmic=True),
        aside=aside,
        **_where(rows, label, single),
    )
    return [*made, beside]


def _where(rows: Sequence[Row], label: str, single: bool) -> dict[str, Any]:
    note = ONE_NETWORK if single else ""
    return {"network": label, "layer": rows[0]["layer"], "note": note}
