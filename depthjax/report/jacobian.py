"""What a page shows of the spectra of layers (`experiments/jacobian.py`)."""

from collections.abc import Mapping

from depthjax.report import tabular
from depthjax.report.contents import Chart

_CHARTS: tuple[tuple[str, Mapping[str, str], str], ...] = (
    ("passing_share", {}, "Directions that can pass"),
    ("stable_rank", {}, "Stable rank"),
    ("condition_low", {}, "Conditioning on the row space"),
    ("bits", {}, "Bits about the photograph"),
)
"""Quantity, what its rows have in common, and title of each chart."""


def is_jacobian(rows: tabular.Rows) -> bool:
    """Whether rows are those of spectra and accounts of layers."""
    return {"layer", "depth", "inputs", "rank_bound"} <= rows[0].keys()


def jacobian_charts(rows: tabular.Rows) -> list[Chart]:
    """A chart of each quantity against depth, with a line for each network.

    Args:
        rows: of `results.csv`; without a spectrum they have the accounts alone.
    """
    derived = []
    for row in rows:
        ends = [row.get("bits_low"), row.get("bits_high")]
        known = [end for end in ends if isinstance(end, int | float)]
        share = row["rank_bound"] / row["inputs"]
        derived.append({**row, "passing_share": share, "bits": sum(known) / 2 if known else ""})
    return tabular.depth_charts(derived, _CHARTS)
