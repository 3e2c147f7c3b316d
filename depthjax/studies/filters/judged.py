"""C15: a network trained on noise keeps no structure in its filters.

Counted as that: they have less than a tenth more energy at low frequencies than untrained ones. The
same number of other trained networks is a contrast.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from depthjax.statistics import Finding, bootstrap_ratio
from depthjax.studies.comparison.setting import NOISE
from depthjax.studies.rows import Row, seed_table

RULE = "< 1.1"


def energies(rows: Sequence[Row], network: str) -> Float[np.ndarray, "seeds channels"]:
    """Low-frequency energy of one network's filters."""
    return seed_table(rows, "low_frequency_energy", column="output_channel", network=network)


def findings(rows: Sequence[Row], untrained: str | None) -> list[Finding]:
    """Every trained network over the untrained one.

    Args:
        rows: of all networks, at one layer.
        untrained: what the others are compared with; None if there is none, and nothing to find.
    """
    if untrained is None:
        return []
    return [
        Finding(
            "C15" if label == NOISE else "C15, contrast",
            f"{label}, {rows[0]['layer']}",
            "low-frequency energy of filters, trained / untrained",
            RULE,
            bootstrap_ratio(energies(rows, label), energies(rows, untrained)),
        )
        for label in dict.fromkeys(row["network"] for row in rows)
        if label != untrained
    ]
