"""Folders of results: whole, never mixed with something else, and read back."""

import csv
import json

import numpy as np
import pytest

from depthjax.folders.begin import begin
from depthjax.folders.results import read_rows, write_results


class Told:
    """Something that says what it is."""

    def __init__(self, where: str) -> None:
        self.where = where

    def record(self) -> dict[str, str]:
        return {"where": self.where}


FINDINGS = [Told("photos, layer1"), Told("photos, layer2")]
ROWS = [{"layer": "layer1", "ratio": 0.5}, {"layer": "layer, 2", "ratio": 1e-9}]


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "new" / "results"
    with begin(path, {"model": "resnet18"}) as run:
        write_results(run, ROWS, FINDINGS, "| a table |")
    return path


def read_findings(folder):
    return json.loads((folder / "findings.json").read_text())


def test_what_was_written_is_read_back(folder):
    config = json.loads((folder / "config.json").read_text())
    assert config["model"] == "resnet18" and "jax" in config["environment"]["versions"]
    with open(folder / "results.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["layer"], float(row["ratio"])) for row in rows] == [
        (row["layer"], row["ratio"]) for row in ROWS
    ]
    assert read_findings(folder) == [one.record() for one in FINDINGS]
    assert (folder / "figures").is_dir()
    assert (folder / "summary.md").read_text() == "| a table |\n"


def test_labels_stay_words_and_numbers_become_numbers(tmp_path):
    rows = [
        {"image": "0001", "label": "1_000", "word": "nan", "ratio": 0.5, "none": float("nan")},
        {"image": "0002", "label": "1e3,x", "word": "dog", "ratio": float("nan"), "none": ""},
        {"image": "+3", "label": "٣", "word": "7", "ratio": float("-inf"), "none": 1e-09},
        {"image": "01.5", "label": ".5", "word": True, "ratio": -3, "none": np.float32(3.4e38)},
    ]
    with begin(tmp_path / "run", {}) as run:
        write_results(run, rows, [])
    back = read_rows(tmp_path / "run")
    for name in ("image", "label"):
        assert [row[name] for row in back] == [row[name] for row in rows]
    assert [row["word"] for row in back] == ["nan", "dog", 7, True]
    np.testing.assert_array_equal([row["ratio"] for row in back], [0.5, np.nan, -np.inf, -3])
    assert np.isnan(back[0]["none"]) and back[1]["none"] is None
    assert (back[2]["none"], back[3]["none"]) == (1e-09, 3.4e38)


def test_figures_are_written_one_after_the_other(folder):
    from matplotlib.figure import Figure

    written = []

    def figures():
        for name in ("first", "second_mine/net"):
            written.append({path.name for path in (folder / "figures").iterdir()})
            yield name, Figure(figsize=(1, 1))

    with begin(folder, {}, overwrite=True) as run:
        write_results(run, ROWS, FINDINGS, figures=figures())
    assert written == [set(), {"first.png", "first.pdf"}]
    assert (folder / "figures" / "second_mine_net.png").is_file()
