"""Rows as tables and as charts against depth."""

from pathlib import Path
from typing import Any

import numpy as np

from depthjax import report
from depthjax.folders.inversions import load_run
from depthjax.report import tabular
from depthjax.report.columns import COLUMNS, column
from depthjax.report.jacobian import jacobian_charts


def test_depth_charts_have_a_line_for_each_network(folders: Path) -> None:
    (section,) = report.collect([folders / "manifold"]).sections
    (chart,) = section.charts
    assert [one.name for one in chart.series] == ["untrained", "photos"]
    assert list(chart.ticks) == ["layer0", "layer1", "layer2"]
    np.testing.assert_allclose(chart.series[0].y, [1, 2, 3])
    # No two examples differ, so that there is no interval.
    assert chart.note == "Geometric means over 2 weight seeds × 4 examples."


def test_cells_are_numbers_or_words(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("a,b,c,d\n1,0.5,True,\n2,x\n")
    assert tabular.read_csv(tmp_path / "table.csv") == [
        {"a": 1, "b": 0.5, "c": "True", "d": ""},
        {"a": 2, "b": "x", "c": "", "d": ""},
    ]


def test_tables_have_units_and_no_more_rows_than_fit() -> None:
    rows = [
        {"network": name, "seed": seed, "image": f"image{n}", "input_ratio": float(n)}
        for name in ("a", "b")
        for seed in range(3)
        for n in range(400)
    ]
    table = tabular.table("All", rows[:400])
    assert len(table.rows) == 400
    assert [one.unit for one in table.columns] == ["", "", "", "ratio"]
    short = tabular.table("All", rows)
    assert [list(row) for row in short.rows] == [["a", 1200, 199.5], ["b", 1200, 199.5]]
    assert "2400 rows" in short.note
    assert column("some_thing").label == "some thing"


def test_the_columns_of_a_run_are_known(folders: Path) -> None:
    unknown = [name for name in load_run(folders / "inversion").table[0] if name not in COLUMNS]
    assert not unknown


def _spectra(network: str, seed: int, depth: int, image: str) -> dict[str, Any]:
    """A row as of a spectrum: words that vary with the layer, the seed and the image."""
    return {
        **{"network": network, "seed": seed, "layer": f"layer{depth}", "depth": depth},
        **{"image": image, "inputs": 100, "outputs": 50, "rank_bound": 100 >> depth},
        **{"cut": f"layer{depth}", "method": "products" if depth else "dense"},
        **{"stable_rank": 8.0 / 2**depth, "condition_low": 10.0**depth},
        **{"top": f"{seed} {depth} {image}", "bits_low": 60.0, "bits_high": 80.0},
        "converged": str(bool(depth) or image == "b"),
    }


SPECTRA = [
    _spectra(network, seed, depth, image)
    for network in ("untrained", "photos")
    for seed in (0, 1, 2)
    for depth in range(3)
    for image in ("a", "b", "c")
]


def test_spectra_have_four_charts_of_all_layers() -> None:
    charts = jacobian_charts(SPECTRA)
    assert len(charts) == 4
    for chart, first in zip(charts, (1.0, 8.0, 1.0, 70.0), strict=True):
        assert list(chart.ticks) == ["layer0", "layer1", "layer2"]
        assert [one.name for one in chart.series] == ["untrained", "photos"]
        assert all(np.isfinite(one.y).all() for one in chart.series)
        np.testing.assert_allclose(chart.series[0].y[0], first)
        assert len(chart.title) <= 40
    np.testing.assert_allclose(charts[0].series[1].y, [1, 0.5, 0.25])
    accounts = [
        {name: row[name] for name in row if not name.startswith(("bits", "stable", "condition"))}
        for row in SPECTRA
    ]
    assert [chart.title for chart in jacobian_charts(accounts)] == ["Directions that can pass"]


def test_what_varies_with_layers_or_images_is_no_panel() -> None:
    conditions = [
        {**row, "condition": condition, "same label": "yes" if row["image"] == "a" else "no"}
        for row in SPECTRA
        for condition in ("descent of a long name, without any blur", "as it is")
    ]
    late = [{**row, "condition": "late"} for row in conditions if row["depth"] == 2]
    charts = tabular.depth_charts([*conditions, *late])
    assert {len(chart.ticks) for chart in charts} == {3}
    assert all(np.isfinite(one.y).all() for chart in charts for one in chart.series)
    titles = [chart.title for chart in charts]
    assert len(set(titles)) == len(titles) and max(map(len, titles)) <= 40
    assert titles[:2] == ["Inputs, descent of a long name, without…", "Inputs, as it is"]
    many = tabular.table("All", conditions * 10)
    assert len(many.rows) == 2 * 3 * 2  # of each network, layer and descent


def test_symbols_stay_as_they_are_in_titles() -> None:
    rows = [
        {"network": "a", "layer": f"l{depth}", "depth": depth, "image": "x"}
        | {"embedding_ratio": 1.0, "input_distance": 1.0, "input_ratio": 1.0, "target_label": 3}
        for depth in range(2)
    ]
    assert [chart.title for chart in tabular.depth_charts(rows)] == ["ρ", "m_i", "D"]


def test_a_line_for_each_control_and_no_name_of_another_ones_layer() -> None:
    rows = [
        {"control": control, "layer": f"{prefix}{depth}", "depth": depth, "seed": 0, "image": "x"}
        | {"input_distance": 1.0}
        for control, prefix in (("orthogonal", "fc"), ("irevnet", "layer"))
        for depth in (1, 2)
    ]
    (chart,) = tabular.depth_charts(rows)
    assert [one.name for one in chart.series] == ["orthogonal", "irevnet"]
    assert list(chart.ticks) == ["depth 1", "depth 2"]


def test_the_note_says_what_is_drawn() -> None:
    def note(seeds: int, images: int, changing: bool = True) -> str:
        rows = [
            {"network": "a", "layer": "l", "depth": 0, "seed": seed, "image": f"i{image}"}
            | {"input_ratio": 2.0 + (seed + image % 3 if changing else 0)}
            for seed in range(seeds)
            for image in range(images)
        ]
        (chart,) = tabular.depth_charts(rows)
        drawn = [end for one in chart.series for end in (*(one.low or ()), *(one.high or ()))]
        assert np.isfinite(drawn).any() == ("95" in chart.note)
        return chart.note.replace("\u00a0", " ")

    few = "Geometric means over 1 weight seed × 2 examples; too few for intervals (3 are needed)."
    assert note(1, 2) == few
    assert note(1, 4) == "Geometric means, 95 % intervals over 4 examples of these 1 weight seed."
    assert note(3, 4) == "Geometric means, 95 % intervals over 3 weight seeds × 4 examples."
    assert note(3, 1) == "Geometric means, 95 % intervals over 3 weight seeds of these 1 example."
    assert note(3, 4, changing=False) == "Geometric means over 3 weight seeds × 4 examples."
