"""The share of metamers against depth, of every network, and what the parts of the test say."""

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.figure import Figure

from depthjax import figures
from depthjax.figures.text import averages
from depthjax.folders.result_rows import VERDICTS
from depthjax.statistics import estimates
from depthjax.studies.rows import Row, seed_table


def draw(
    rows: Sequence[Row], networks: Sequence[str], layers: Sequence[str]
) -> Iterator[tuple[str, Figure]]:
    """The figure with its name, `metamers`.

    Args:
        rows: of all networks and layers.
        networks: their labels.
        layers: shallow to deep.
    """
    panels = {
        "metamers": lambda row: float(row["metamer"] == VERDICTS[True]),
        "same label": lambda row: float(row["same_label"]),
        "SNR (dB)": lambda row: float(row["snr"] if np.isfinite(row["snr"]) else np.nan),
        "SNR over the bound (dB)": lambda row: float(
            row["snr"] - row["null_snr"] if np.isfinite(row["snr"]) else np.nan
        ),
    }
    shares = ("metamers", "same label")

    def shown(name: str) -> np.ndarray:
        values = estimates(
            [seed_table(rows, panels[name], network=network, layer=layer) for layer in layers]
            for network in networks
        )
        return np.clip(values, 0, 1) if name in shares else values

    tables = {name: shown(name) for name in panels}
    yield (
        "metamers",
        figures.networks_against_depth(
            networks,
            layers,
            tables,
            note=averages(tables.values(), "over seeds × images"),
        ),
    )
