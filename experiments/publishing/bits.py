"""The table of bits by layer, from runs of jacobian.py that were kept."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from depthjax.folders.results import read_rows
from depthjax.studies.rows import Row, among
from depthjax.tables import markdown_table

RUNS = {
    "jacobian_lite0_128": "EfficientNet-Lite0",
    "jacobian_thin_128": "ResNet-50 of half width",
}
"""Runs at 128×128, trained (`photos`) and untrained, and what their network is called."""

_QUANTITIES = {"bits": "bits", "d": "effective_dimension"}
_NETWORKS = {"trained": "photos", "untrained": "untrained"}


def bits_table(results: Path) -> str:
    """Bits and effective dimension of each layer of both networks, medians over photographs.

    Args:
        results: the folder of what was kept.
    """
    lines = []
    for run, network in RUNS.items():
        rows = list(read_rows(results / run))
        for layer in dict.fromkeys(row["layer"] for row in rows):
            cells = [
                _range(among(rows, layer=layer, network=label), quantity)
                for quantity in _QUANTITIES.values()
                for label in _NETWORKS.values()
            ]
            lines.append([network, layer, *cells])
    columns = [f"{label}: {sign}" for sign in _QUANTITIES for label in _NETWORKS]
    return markdown_table(["network", "layer", *columns], lines)


def _range(rows: Sequence[Row], quantity: str) -> str:
    """Lower and upper bound, and the standard error over probes."""
    columns = [f"{quantity}_{end}" for end in ("low", "high", "error")]
    low, high, error = (float(np.median([row[name] for row in rows])) for name in columns)
    bounds = f"{low:,.0f}" if round(low) == round(high) else f"{low:,.0f}–{high:,.0f}"
    return f"{bounds} ± {error:,.0f}"
