"""Rows as tables and as charts against depth."""

from pathlib import Path

import numpy as np

from depthjax import report
from depthjax.folders.inversions import load_run
from depthjax.report import tabular
from depthjax.report.columns import COLUMNS, column


def test_depth_charts_have_a_line_for_each_network(folders: Path) -> None:
    (section,) = report.collect([folders / "manifold"]).sections
    (chart,) = section.charts
    assert [one.name for one in chart.series] == ["untrained", "photos"]
    assert list(chart.ticks) == ["layer0", "layer1", "layer2"]
    np.testing.assert_allclose(chart.series[0].y, [1, 2, 3])
    assert "4 examples of these 2 weight seeds" in chart.note


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
