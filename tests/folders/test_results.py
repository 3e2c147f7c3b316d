"""Folders of results: whole, never mixed with something else, and read back."""

import csv
import json

import pytest

from depthjax.folders.results import checked_folder, load_findings, write_results
from depthjax.statistics import Finding, Interval

FINDINGS = [
    Finding("C14", "photos, layer1", "ratio", "< 1", Interval(0.5, 0.4, 0.6, 3, 100)),
    Finding("C14", "photos, layer2", "ratio", "< 1", Interval(*[float("nan")] * 3, 3, 100)),
]
ROWS = [{"layer": "layer1", "ratio": 0.5}, {"layer": "layer, 2", "ratio": 1e-9}]


@pytest.fixture
def folder(tmp_path):
    path = checked_folder(tmp_path / "new" / "results")
    assert not path.exists()
    write_results(path, {"model": "resnet18"}, ROWS, FINDINGS)
    return path


def test_what_was_written_is_read_back(folder):
    config = json.loads((folder / "config.json").read_text())
    assert config["model"] == "resnet18" and "jax" in config["environment"]["versions"]
    with open(folder / "results.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["layer"], float(row["ratio"])) for row in rows] == [
        (row["layer"], row["ratio"]) for row in ROWS
    ]
    assert [one.record() for one in load_findings(folder)] == [one.record() for one in FINDINGS]
    assert (folder / "figures").is_dir()


def test_older_results_are_replaced_only_when_asked(folder):
    with pytest.raises(ValueError, match="--overwrite"):
        checked_folder(folder)
    write_results(checked_folder(folder, overwrite=True), {}, ROWS, FINDINGS[:1])
    assert len(load_findings(folder)) == 1


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


def test_findings_that_are_not_there_or_damaged(folder, tmp_path):
    with pytest.raises(ValueError, match=r"it has no findings.json"):
        load_findings(tmp_path)
    for damage in ("[{", '[{"claim": "C1"}]', "3"):
        (folder / "findings.json").write_text(damage)
        with pytest.raises(ValueError, match="is damaged"):
            load_findings(folder)


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
