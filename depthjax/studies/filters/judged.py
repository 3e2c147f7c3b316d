"""C15: a network trained on noise keeps no structure in its filters.

Filters have no structure if their energy at low frequencies is less than 1.1 times that of
untrained filters. Other trained networks are a contrast.
"""

from collections.abc import Collection, Sequence

import numpy as np
from jaxtyping import Float

from depthjax.claims.cells import Cells
from depthjax.claims.findings import Finding
from depthjax.claims.paper import bound_of
from depthjax.studies.comparison.setting import NOISE
from depthjax.studies.networks import ONE_NETWORK
from depthjax.studies.rows import Row, seed_table


def energies(rows: Sequence[Row], network: str) -> Float[np.ndarray, "seeds channels"]:
    """Low-frequency energy of one network's filters."""
    return seed_table(rows, "low_frequency_energy", column="output_channel", network=network)


def findings(
    rows: Sequence[Row], untrained: str | None, single: Collection[str] = ()
) -> list[Finding]:
    """C15: every trained network over the untrained one.

    Args:
        rows: of all networks, at one layer.
        untrained: what the others are compared with; without it there are no findings.
        single: labels that are one trained network (`depthjax.studies.networks`).
    """
    if untrained is None:
        return []
    return [
        Finding(
            claim="C15",
            part="no_structure" if label == NOISE else "",
            network=label,
            layer=rows[0]["layer"],
            note=ONE_NETWORK if label in single else "",
            quantity="low-frequency energy of filters, trained / untrained",
            bound=bound_of("C15", "no_structure"),
            measured=Cells.of(energies(rows, label) / energies(rows, untrained), logarithmic=True),
            aside="" if label == NOISE else "contrast",
        )
        for label in dict.fromkeys(row["network"] for row in rows)
        if label != untrained
    ]
