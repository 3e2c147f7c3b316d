"""The command: tables and flags to cells, the summary, where it stands, what it will take."""

import json

import jax
import numpy as np
import pytest
from absl.testing import flagsaver
from PIL import Image
from script_loading import loaded

import depthjax
from depthjax.models.normalization import as_normalization
from depthjax.report import collect
from depthjax.sweeps import SweepFolder, cell_hash, load_sweep
from depthjax.sweeps.inversions import load_cell, run_cell
from depthjax.sweeps.listing import read_table

SMALL = {
    "model": "resnet18",
    "model_field": ["width=4", "stage_sizes=1,1", "num_classes=3"],
    "networks": ["untrained"],
    "seeds": ["0", "1"],
    "images": ["chelsea", "coffee"],
    "group_size": 2,
    "size": 16,
    "layers": "conv1",
    "steps": 4,
    "record_every": 2,
}


@pytest.fixture(scope="module")
def script():
    """The script as a module."""
    with loaded("sweep") as module:
        yield module


def cells(script, **settings):
    with flagsaver.flagsaver(**{**SMALL, **settings}):
        return script.cells_from_flags()


def test_a_sweep_from_flags_to_a_table_and_back(script, tmp_path, capsys):
    with flagsaver.flagsaver(**SMALL, output=str(tmp_path / "sweep")):
        script.main()
        first = capsys.readouterr()
        script.main()
        second = capsys.readouterr()
        with flagsaver.flagsaver(status=True):
            script.main()
        status = capsys.readouterr().out
    assert "2 done, 0 running, 0 failed, 0 waiting" in first.out
    assert "| resnet18 | untrained | conv1 |  4 |" in first.out
    assert second.out == first.out
    assert status == "2 done, 0 running, 0 failed, 0 waiting\n"
    table = load_sweep(tmp_path / "sweep")
    assert table.num_rows == 4 and set(table["seed"].to_pylist()) == {0, 1}
    assert "2 of 2 done" in (tmp_path / "sweep" / "report.html").read_text()


def test_a_comparison_of_workers_that_was_cut_off_goes_on(script, tmp_path, monkeypatch):
    output, turns = tmp_path / "scaling", []

    def measured(folder, turn, cells, *_):
        def measure():
            turns.append(turn)
            if turns == [1, 2]:
                raise KeyboardInterrupt
            return {"turn": turn, "workers": turn, "cells": 4, "seconds": 1.0,
                    "warm_cells_per_minute": 60.0 * turn}  # fmt: skip

        return folder.piece(f"turn-{turn}", measure)

    monkeypatch.setattr(script.scaling, "measure_turn", measured)
    with flagsaver.flagsaver(**SMALL | {"layers": "conv1,layer1"}, output=str(output)):
        script.FLAGS.scaling = ["1", "2"]
        with pytest.raises(KeyboardInterrupt):
            script.main()
        script.main()
        assert turns == [1, 2, 2] and (output / "figures" / "workers.png").is_file()
        script.main()
        assert turns == [1, 2, 2]
        script.FLAGS.overwrite = True
        script.main()
        assert turns == [1, 2, 2, 1, 2]


def test_a_page_of_a_sweep_that_goes_on(script, tmp_path):
    listed = cells(script, seeds=["0", "1", "2"])
    place = SweepFolder(tmp_path / "runs" / "sweep")
    place.begin(listed)
    (empty,) = collect([tmp_path / "runs"]).sections
    assert dict(empty.facts)["cells"] == "0 of 3 done, 3 waiting" and not empty.charts
    for cell in listed[:2]:
        place.write_result(cell, run_cell(cell, tmp_path / cell_hash(cell)), 1.0)
    (found,) = collect([tmp_path / "runs"]).sections
    assert dict(found.facts)["cells"] == "2 of 3 done, 1 waiting"
    assert [chart.title for chart in found.charts][:3] == ["D", "r²", "ρ"]
    (table,) = found.tables
    assert len(table.rows) == 4


def test_a_table_is_as_many_networks(script, tmp_path):
    csv = tmp_path / "cells.csv"
    csv.write_text(
        "model,model_field,layers,seeds,size\n"
        "resnet18,width=4;num_classes=2,conv1;layer1,0;1;2,\n"
        "mlp,widths=20,fc1,,8\n"
    )
    found = cells(script, table=str(csv))
    assert len(found) == 2 * 3 + 2
    mlp = [cell for cell in found if cell["model"] == "mlp"]
    assert [cell["size"] for cell in mlp] == [8, 8] and mlp[0]["layer"] == "fc1"
    assert mlp[0]["model_fields"] == {"widths": 20}
    (rows,) = ([{"model": "mlp", "model_field": "widths=20", "layers": "fc1", "size": 8}],)
    (tmp_path / "cells.json").write_text(json.dumps(rows))
    assert cells(script, table=str(tmp_path / "cells.json")) == mlp


@pytest.fixture
def trained(tmp_path):
    """A file of weights for the small network that expects its pixels in [-1, 1]."""
    model = depthjax.build_model("resnet18", width=4, stage_sizes=(1, 1), num_classes=3)
    file = tmp_path / "half.safetensors"
    variables = depthjax.init_variables(model, jax.random.key(0), 16)
    depthjax.save_weights(file, variables, normalization="half")
    return file


def normalizations(cells):
    """How each network of some cells sees its pixels."""
    return {cell["network"]: load_cell(cell).layer.normalization for cell in cells}


def test_untrained_networks_see_pixels_as_the_trained_ones_beside_them(script, trained, tmp_path):
    networks = ["untrained", f"trained={trained}", "plain=unnormalized:untrained"]
    half = as_normalization("half")
    found = cells(script, networks=networks)
    assert normalizations(found) == {"untrained": half, "trained": half, "plain": None}
    alone = cells(script, networks=networks[1:2])
    assert all(cell in found for cell in alone), "what stands beside it would make another cell"
    in_rows = tmp_path / "cells.csv"
    in_rows.write_text(f"networks\nuntrained\ntrained={trained}\n")
    assert normalizations(cells(script, table=str(in_rows)))["untrained"] == half
    stated = cells(script, networks=networks[:2], normalization="imagenet")
    assert set(normalizations(stated).values()) == {as_normalization("imagenet")}
    assert {cell["normalization"] for cell in cells(script)} == {"auto"}


def test_images_of_one_name_stay_apart_in_other_rows(script, tmp_path):
    for folder in "ab":
        (tmp_path / folder).mkdir()
        Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(tmp_path / folder / "1.png")
    in_rows = tmp_path / "cells.csv"
    in_rows.write_text(f"images\n{tmp_path}/a/\n{tmp_path}/b/\n")
    found = cells(script, table=str(in_rows), seeds=["0"])
    assert sorted(load_cell(cell).image_names for cell in found) == [["1"], ["1-2"]]


def test_a_sweep_refuses_trained_networks_that_see_other_pixels(script, trained):
    other = trained.with_name("other.safetensors")
    other.write_bytes(trained.read_bytes().replace(b"0.5", b"0.4"))
    networks = ["untrained", f"a={trained}", f"b={other}"]
    with pytest.raises(ValueError, match="do not normalise pixels alike"):
        cells(script, networks=networks)


def test_weights_that_come_with_a_model_are_swept_unless_others_are_asked_for(
    script, tmp_path, monkeypatch
):
    (tmp_path / "own_networks.py").write_text(
        "import depthjax, jax\n"
        "def trained():\n"
        "    model = depthjax.build_model('mlp', widths=20)\n"
        "    return model, depthjax.init_variables(model, jax.random.key(0), 16)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    settings = SMALL | {"model": "own_networks:trained", "model_field": [], "layers": "fc1"}
    del settings["networks"]  # what the command leaves out
    with flagsaver.flagsaver(**settings):
        assert {cell["weights"] for cell in script.cells_from_flags()} == {"pretrained"}
    asked = cells(script, **settings)
    assert {cell["weights"] for cell in asked} == {"untrained"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("modle\nresnet18\n", "did you mean 'model'"),
        ("model\nresnet19\n", "did you mean 'resnet18'"),
        ("seeds\none\n", "whole numbers"),
        ("networks\nphotos\n", "label=weights"),
        ("model,size\nresnet18,big\n", "size in cells.csv must be .* got 'big'"),
        ("group_size\n0\n", "group_size in cells.csv must be a whole number of at least 1"),
        ("model,size\nresnet18,16\nresnet18,16,3\n", "row 2 has more cells than there are"),
    ],
)
def test_bad_tables_are_refused(script, text, message, tmp_path):
    (tmp_path / "cells.csv").write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        cells(script, table=str(tmp_path / "cells.csv"))
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match="no table"):
        cells(script, table=str(tmp_path / "other.csv"))


def test_a_table_of_a_spreadsheet_begins_with_a_mark(tmp_path):
    (tmp_path / "cells.csv").write_text("\ufeffmodel,size\nresnet18,16\n", encoding="utf-8")
    assert read_table(tmp_path / "cells.csv") == [{"model": "resnet18", "size": "16"}]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"worker_cpus": 2}, "--worker_cpus does nothing without --workers or --ray_address"),
        ({"dashboard": True}, "--dashboard does nothing without --workers"),
        ({"workers": 1, "worker_cpus": 0}, "cpus of a worker must be above 0"),
        ({"workers": 0}, "count of workers must be at least 1"),
        ({"judge_layers": "conv1"}, "--judge_layers does nothing without --judge;"),
    ],
)
def test_workers_and_judges_that_cannot_be_are_refused_at_once(script, settings, message, tmp_path):
    """Before a sweep that is there is begun anew."""
    (tmp_path / "cells").mkdir()
    asked = {"output": str(tmp_path), "overwrite": True, **settings}
    with flagsaver.flagsaver(**SMALL, **asked), pytest.raises(ValueError, match=message) as error:
        script.main()
    assert "\n" not in str(error.value) and (tmp_path / "cells").is_dir()


def test_begun_anew_only_when_asked(script, tmp_path, capsys):
    """Without --overwrite a sweep goes on; with it, nothing of the old one stays."""
    with flagsaver.flagsaver(**SMALL, output=str(tmp_path)):
        script.main()
        (tmp_path / "cells" / "notes.txt").write_text("old")
        before = {f.name: f.stat().st_mtime_ns for f in (tmp_path / "cells").glob("*.parquet")}
        (tmp_path / "report.html").write_text("of an unfinished sweep")
        with flagsaver.flagsaver(resume=True):
            script.main()
        assert before == {
            f.name: f.stat().st_mtime_ns for f in (tmp_path / "cells").glob("*.parquet")
        }
        assert "2 of 2 done" in (tmp_path / "report.html").read_text()
        with flagsaver.flagsaver(overwrite=True):
            script.main()
    assert not (tmp_path / "cells" / "notes.txt").exists()
    after = {f.name: f.stat().st_mtime_ns for f in (tmp_path / "cells").glob("*.parquet")}
    assert after.keys() == before.keys() and all(after[name] > before[name] for name in before)
