"""Folders that pages are made of."""

from pathlib import Path

import pytest
from report_folders import (
    draw_figure,
    write_comparison,
    write_inversion,
    write_results,
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> Path:
    """A run, a comparison and results beside each other."""
    folder = tmp_path_factory.mktemp("runs")
    write_inversion(folder / "inversion")
    draw_figure(folder / "inversion")
    write_comparison(folder / "comparison")
    rows = [
        {"network": network, "seed": seed, "layer": f"layer{depth}", "depth": depth}
        | {"input": "noise", "origin": origin, "neighbour_distance": 1.0 + depth}
        for network in ("untrained", "photos")
        for seed in (0, 1)
        for depth in range(3)
        for origin in range(4)
    ]
    write_results(folder / "manifold", rows)
    return folder
