"""What is kept of a run: small, without folders, and as much of it as there is."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from depthjax.claims.bound import Bound
from depthjax.claims.cells import Cells
from depthjax.claims.findings import Finding
from depthjax.claims.stored import judge_folders, load_findings
from depthjax.folders.begin import begin
from depthjax.folders.config import read_config
from depthjax.folders.kept import keep, missing_from, without_folders
from depthjax.folders.results import read_rows, write_results
from depthjax.folders.unfinished import briefly, missing

ROWS = [
    {"network": "a", "seed": 0, "value": 0.1, "number": 1, "remark": ""},
    {"network": "b", "seed": 1, "value": 1 / 3, "number": "many", "remark": ""},
]
FINDING = Finding(
    claim="C1",
    part="worse_within_stages",
    quantity="slope",
    bound=Bound.above(0),
    measured=Cells.of(np.random.default_rng(0).normal(3, 0.1, (3, 4))),
)


_NORMAL = np.random.default_rng(1).normal(1, 0.1, (3, 200))
BESIDE = [  # these judge no part of a claim
    Finding(claim="C1", quantity="beside", bound=Bound.above(0), measured=Cells.of(values))
    for values in (_NORMAL, np.where(_NORMAL > 1.2, np.nan, _NORMAL))
] + [
    Finding(claim="C1", quantity=f, bound=Bound.above(0), measured=Cells.of(_NORMAL, fixed=f))
    for f in ("seeds", "images", "exact")
]


@pytest.fixture
def run(tmp_path):
    """A finished run of a study, with a figure."""
    folder = tmp_path / "runs" / "depth_quick"
    definition = {"size": 8, "weights": "/data/mine/a.safetensors", "plan": "zoo:m/photos/0"}
    with begin(folder, definition) as begun:
        write_results(begun, ROWS, [FINDING], "| a |\n| - |")
        Image.new("RGB", (3000, 30)).save(begun.subfolder("figures") / "depth.png")
        Image.new("RGB", (30, 30)).save(begun.subfolder("figures") / "other.png")
    return folder


def test_a_run_is_judged_by_what_is_kept_of_it(run, tmp_path):
    assert keep(run, tmp_path / "results", ["depth", "absent"]) == []
    kept = tmp_path / "results" / "depth_quick"
    assert {path.name for path in kept.iterdir()} == {
        *("config.json", "rows.parquet", "findings.json", "summary.md", "depth.webp")
    }
    rows = read_rows(kept)
    assert [row["value"] for row in rows] == [0.1, 1 / 3]
    assert [row["number"] for row in rows] == ["1", "many"] and rows[0]["remark"] is None
    again, before = (json.dumps([one.record() for one in load_findings(f)]) for f in (kept, run))
    assert again == before
    found, wanted = (judge_folders([folder])[0] for folder in (kept, run))
    assert found.record() == wanted.record()
    with Image.open(kept / "depth.webp") as figure:
        assert figure.size == (1000, 10)


def test_what_judges_nothing_is_printed_as_before_without_its_cells(tmp_path):
    with begin(tmp_path / "run", {}) as begun:
        write_results(begun, ROWS, [FINDING, *BESIDE], "")
    keep(tmp_path / "run", tmp_path / "results")
    kept, before = (load_findings(folder) for folder in (tmp_path / "results/run", begun.path))
    assert [isinstance(one.measured, Cells) for one in kept] == [True, False, True] + [False] * 3
    for one, other in zip(kept, before, strict=True):
        assert {**one.record(), "cells": 0} == {**other.record(), "cells": 0}
    small, whole = ((folder / "findings.json").stat().st_size
                    for folder in (tmp_path / "results/run", begun.path))  # fmt: skip
    assert small < whole / 3


def test_names_of_folders_stay_behind(run, tmp_path):
    config = json.loads((run / "config.json").read_text())
    config["environment"]["command"] = [
        "/home/me/depthjax/experiments/depth.py",
        "--flagfile=/home/me/depthjax/experiments/flags/depth_quick.flags",
        "--networks=a=/home/me/a.safetensors,b=zoo:m/b/{seed}",
        "--output=/scratch/x",
    ]
    (run / "config.json").write_text(json.dumps(config))
    keep(run, tmp_path / "results")
    kept = read_config(tmp_path / "results" / "depth_quick")
    assert kept["weights"] == "a.safetensors" and kept["plan"] == "zoo:m/photos/0"
    assert kept["environment"]["command"] == [
        "experiments/depth.py",
        "--flagfile=experiments/flags/depth_quick.flags",
        "--networks=a=a.safetensors,b=zoo:m/b/{seed}",
    ]
    same = {"plan": "hf://timm/a/b", "url": "https://a.org/b", "near": "../b/c", "share": "1/f"}
    assert without_folders(same) == same
    assert without_folders(["folder:/data/x@train", "~/a/b", 3]) == ["folder:x@train", "b", 3]


def test_keeping_again_replaces_what_was_kept(run, tmp_path):
    keep(run, tmp_path / "results", ["depth"])
    keep(run, tmp_path / "results", [])
    assert not (tmp_path / "results" / "depth_quick" / "depth.webp").exists()


def test_what_was_kept_stays_if_the_run_cannot_be_kept(run, tmp_path, monkeypatch):
    results = tmp_path / "results"
    keep(run, results, ["depth"])
    before = {path.name: path.read_bytes() for path in (results / "depth_quick").iterdir()}

    def stays(message, place):
        with pytest.raises(ValueError, match=message) as error:
            keep(place, results, ["depth"])
        assert len(str(error.value).splitlines()) == 1
        found = {path.name: path.read_bytes() for path in (results / "depth_quick").iterdir()}
        assert found == before and [path.name for path in results.iterdir()] == ["depth_quick"]

    stays("lies in .*, where runs are kept", results / "depth_quick")
    monkeypatch.chdir(run)
    keep(Path("."), results, ["depth"])  # has the name of the folder
    (run / "figures" / "depth.png").write_bytes(b"no picture")
    stays("depth.png. cannot be read", Path("."))


def test_of_a_run_that_is_not_finished_its_pieces_are_kept(tmp_path):
    folder = tmp_path / "runs" / "long"
    begun = begin(folder, {"size": 8}, noted={"plan": {}})
    begun.close()
    with pytest.raises(ValueError, match=r"nothing of .* is done yet"):
        keep(folder, tmp_path / "results")
    with begin(folder, {"size": 8}, resume=True) as begun:
        begun.rows("first", lambda: ROWS[:1])
    assert keep(folder, tmp_path / "results") == ["findings.json"]
    kept = tmp_path / "results" / "long"
    assert missing_from(kept) == ["findings.json"]
    assert [(row["piece"], row["value"]) for row in read_rows(kept)] == [("first", 0.1)]
    assert judge_folders([]) and not (kept / "findings.json").exists()


def test_of_descents_the_missing_layers_are_named(tmp_path):
    folder = tmp_path / "runs" / "recipe"
    definition = {"size": 8, "layers": ["conv1", "layer1"], "inversion": {}}
    noted, first = {"plan": {}}, {"inputs.npz": b""}
    with begin(folder, definition, noted=noted, first=first) as study:
        for name in ("a_0/plain", "a_1/plain"):
            with begin(study.path / "descents" / name, {"layers": ["conv1", "layer1"]}) as own:
                own.write("layers/conv1.npz", b"")
                if name == "a_0/plain":
                    own.write("layers/layer1.npz", b"")
                own.write("results.csv", b"layer,input_ratio\nconv1,0.5\n")
        assert keep(folder, tmp_path / "results") == ["a_1/plain/layer1", "findings.json"]
        assert missing(folder) == ["a_1/plain/layer1", "findings.json"]
        study.write("findings.json", json.dumps([FINDING.record()]).encode())
        assert keep(folder, tmp_path / "results") == ["a_1/plain/layer1"]
    kept = tmp_path / "results" / "recipe"
    assert [(row["descents"], row["input_ratio"]) for row in read_rows(kept)] == [
        *(("a_0", 0.5), ("a_1", 0.5))
    ]
    assert len(load_findings(kept)) == 1
    assert briefly(missing_from(kept) * 6) == ", ".join(["a_1/plain/layer1"] * 4) + " and 2 more"


def test_what_is_no_run_is_not_kept(tmp_path):
    with pytest.raises(ValueError, match=r"no run in .*: it has no config.json"):
        keep(tmp_path, tmp_path / "results")
    with pytest.raises(ValueError, match=r"no rows in .*: it has no results.csv"):
        read_rows(tmp_path)
