"""Folders of results: whole, never mixed with something else, and read back."""

import csv
import json

import pytest

from depthjax.folders.results import checked_folder, write_results


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
    path = checked_folder(tmp_path / "new" / "results")
    assert not path.exists()
    write_results(path, {"model": "resnet18"}, ROWS, FINDINGS)
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


def test_older_results_are_replaced_only_when_asked(folder):
    with pytest.raises(ValueError, match="--overwrite"):
        checked_folder(folder)
    write_results(checked_folder(folder, overwrite=True), {}, ROWS, FINDINGS[:1])
    assert len(read_findings(folder)) == 1


def test_results_that_were_cut_off_are_replaced_when_asked(folder):
    (folder / "findings.json").unlink()
    with pytest.raises(ValueError, match="--overwrite"):
        checked_folder(folder)
    assert checked_folder(folder, overwrite=True) == folder


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="holds other things"):
        checked_folder(tmp_path, overwrite=True)
    with pytest.raises(ValueError, match="holds other things"):
        checked_folder(tmp_path / "config.json", overwrite=True)


def test_figures_are_written_one_after_the_other(folder):
    from matplotlib.figure import Figure

    written = []

    def figures():
        for name in ("first", "second"):
            written.append({path.name for path in (folder / "figures").iterdir()})
            yield name, Figure(figsize=(1, 1))

    write_results(folder, {}, ROWS, FINDINGS, figures=figures())
    assert written == [set(), {"first.png", "first.pdf"}]
    assert (folder / "figures" / "second.png").is_file()
