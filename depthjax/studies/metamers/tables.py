"""Tables of metamers: how many pass, and which networks see the target's class in them."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from depthjax.analysis.metamers import Null
from depthjax.folders.result_rows import VERDICTS
from depthjax.studies.rows import Row, among
from depthjax.tables import markdown_table, number

_PASSED = VERDICTS[True]


def verdict_table(rows: Sequence[Row]) -> str:
    """By layer and network: how many passed, and how many each part of the test."""
    headers = ["layer", "network", "metamers", "same label", "Spearman", "Pearson", "SNR", "ρ"]
    lines = []
    for layer, network, there in _places(rows):
        parts = [sum(row[name] > row[f"null_{name}"] for row in there) for name in _STATISTICS]
        ratios = [row["embedding_ratio"] for row in there if np.isfinite(row["embedding_ratio"])]
        lines.append(
            [
                *(layer, network, f"{len(among(there, metamer=_PASSED))} of {len(there)}"),
                str(sum(row["same_label"] for row in there)),
                *map(str, parts),
                number(float(np.median(ratios))) if ratios else "–",
            ]
        )
    return markdown_table(headers, lines)


def recognition_table(rows: Sequence[Row], judges: Sequence[str]) -> str:
    """Of the metamers of each network, a row, how many each judge, a column, recognises.

    Args:
        rows: of all networks and layers.
        judges: their names.
    """
    lines = []
    for layer, network, there in _places(rows):
        passed = among(there, metamer=_PASSED)
        seen = [sum(row[f"recognised_by_{judge}"] for row in passed) for judge in judges]
        cells = [f"{count} of {len(passed)}" if passed else "–" for count in seen]
        lines.append([layer, network, *cells])
    return markdown_table(["layer", "made in", *(f"seen by {one}" for one in judges)], lines)


def null_table(nulls: Mapping[str, Null], quantile: float) -> str:
    """By network and layer, what the test asks for: median and bound of each statistic.

    Args:
        nulls: by the name of the network.
        quantile: that must be exceeded.
    """
    bound = "maximum" if quantile == 1 else f"quantile {quantile:g}"
    headers = [
        "layer",
        "network",
        *(f"{name}, {of}" for name in _SIGNS for of in ("median", bound)),
    ]
    lines = []
    layers = next(iter(nulls.values())).layers
    for layer in layers:
        for network, null in nulls.items():
            pairs = zip(null.quantile(layer, 0.5), null.quantile(layer, quantile), strict=True)
            lines.append([layer, network, *(number(value) for pair in pairs for value in pair)])
    return markdown_table(headers, lines)


_STATISTICS = ("spearman", "pearson", "snr")
_SIGNS = ("Spearman", "Pearson", "SNR")


def _places(rows: Sequence[Row]) -> Iterator[tuple[str, str, list[Row]]]:
    """Layer, network and their rows, shallow to deep."""
    places = dict.fromkeys((row["depth"], row["layer"], row["network"]) for row in rows)
    for depth, layer, network in sorted(places, key=lambda place: place[0]):
        yield layer, network, among(rows, depth=depth, network=network)
