"""What each way of reading a layer recovers: pictures, and numbers against depth."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from depthjax import figures
from depthjax.figures.text import averages
from depthjax.statistics import estimates
from depthjax.studies.readouts.measured import DECODER, DESCENT, MEAN, MMSE, RIDGE
from depthjax.studies.rows import Row, among, seed_table
from depthjax.tables import markdown_table, number, share

WAYS = (DESCENT, RIDGE, MMSE, DECODER, MEAN)
_QUANTITIES = {"D": "input_ratio", "r²": "luminance_r2", "r² of contrast": "contrast_r2"}


def against_depth(
    rows: Sequence[Row], networks: Sequence[str], layers: Sequence[str]
) -> Iterator[tuple[str, Figure]]:
    """A figure for each network, `readouts_NETWORK`: a line for each way.

    Args:
        rows: of all networks, layers and ways.
        networks: their labels.
        layers: shallow to deep.
    """
    for network in networks:
        own = among(rows, network=network)
        panels = {
            name: estimates(
                [seed_table(own, column, way=way, layer=layer) for layer in layers] for way in WAYS
            )
            for name, column in _QUANTITIES.items()
        }
        yield (
            f"readouts_{network}",
            figures.networks_against_depth(
                WAYS, layers, panels, note=averages(panels.values(), "over seeds × images")
            ),
        )


def pictures(
    network: str,
    image_names: Sequence[str],
    targets: np.ndarray,
    shown: Mapping[str, Mapping[str, np.ndarray]],
    rows: Sequence[Row],
) -> tuple[str, Figure]:
    """The images of one network by layer, a row for each image and way.

    Args:
        network: its label.
        image_names: of the B targets.
        targets: `[B, H, W, C]`.
        shown: images by layer and way, `[B, H, W, C]`.
        rows: of this network and seed.
    """
    pairs = [(index, way) for index in range(len(image_names)) for way in WAYS[:-1]]

    def numbers(column: str) -> np.ndarray:
        found = {(row["layer"], row["way"], row["image"]): row[column] for row in rows}
        return np.array(
            [[found[layer, way, image_names[index]] for index, way in pairs] for layer in shown]
        )

    recovered = [[ways[way][index] for index, way in pairs] for ways in shown.values()]
    return f"pictures_{network}", figures.gallery(
        [f"{image_names[index]}, {way}" for index, way in pairs],
        np.stack([targets[index] for index, _ in pairs]),
        None,
        list(shown),
        np.nan_to_num(np.array(recovered, np.float32)),
        {"D": numbers("input_ratio"), "r²": numbers("luminance_r2")},
        title=f"{network}: what a descent and what read-outs recover",
    )


def table(rows: Sequence[Row]) -> str:
    """Medians over seeds × images: a row for each layer and network, D and r² by way."""
    headers = ["layer", "network", *(f"D, {way}" for way in WAYS), *(f"r², {w}" for w in WAYS[:-1])]
    lines = []
    places = dict.fromkeys((row["layer"], row["network"]) for row in rows)
    for layer, network in sorted(places, key=lambda place: _depth(rows, place[0])):

        def median(way: str, column: str, layer: str = layer, network: str = network) -> float:
            there = among(rows, layer=layer, network=network, way=way)
            return float(np.median([row[column] for row in there]))

        distances = [number(median(way, "input_ratio")) for way in WAYS]
        shares = [share(median(way, "luminance_r2")) for way in WAYS[:-1]]
        lines.append([layer, network, *distances, *shares])
    return markdown_table(headers, lines)


def _depth(rows: Sequence[Row], layer: str) -> int:
    return int(next(row["depth"] for row in rows if row["layer"] == layer))
