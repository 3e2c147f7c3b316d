"""`--model=package.module:function`: what is found, called, and refused in one line."""

import json
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from absl.testing import flagsaver
from error_messages import error_of
from inversion_cells import cells
from script_loading import own_flags
from script_running import script_fixture

import depthjax
from depthjax import cli
from depthjax.models.catalogue import find_model
from depthjax.models.specifications import variables_sha256
from depthjax.sweeps import SweepFolder, inversions

ROOT = Path(__file__).parents[2]
MODULE = '''
"""A network of a user's own."""

import jax

import depthjax
from depthjax.models import Network
from depthjax.models.network import INPUT, GraphBuilder
from depthjax.models.operations import conv, global_average, relu

CALLS = []


class Mine(Network):
    width: int = 4

    def graph(self):
        net = GraphBuilder()
        x = net("first", conv(self.width, 3), INPUT)
        x = net("relu", relu, x)
        x = net("second", conv(self.width, 3, 2), x)
        net("pool", global_average, x)
        return tuple(net.nodes)


def plain(width=4):
    return Mine(width)


def trained(width=4):
    CALLS.append(width)
    model = Mine(width)
    return model, depthjax.init_variables(model, jax.random.key(7), 16)


def three():
    return 1, 2, 3


def broken():
    raise RuntimeError("no such file")


NUMBER = 3
'''
script = script_fixture("invert")


@pytest.fixture(autouse=True)
def own(tmp_path, monkeypatch):
    """The user's folder: `own_networks.py`, and one that cannot be imported."""
    (tmp_path / "own_networks.py").write_text(MODULE)
    (tmp_path / "own_broken.py").write_text("import no_such_package")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    yield tmp_path
    for name in ("own_networks", "own_broken"):
        sys.modules.pop(name, None)


def test_a_function_of_this_folder_is_called_with_the_fields():
    model = depthjax.build_model("own_networks:plain", width=6)
    assert (type(model).__name__, model.width) == ("Mine", 6)
    assert depthjax.build_model("python:own_networks:plain", width=6) == model
    assert depthjax.layer_names(model) == ("first", "relu", "second", "pool")


def test_weights_that_come_with_it_are_made_once():
    variables = find_model("own_networks:trained", {"width": 3}).pretrained()
    model = depthjax.build_model("own_networks:trained", width=3)
    expected = depthjax.init_variables(model, jax.random.key(7), 16)
    jax.tree.map(np.testing.assert_array_equal, variables, expected)
    assert sys.modules["own_networks"].CALLS == [3]
    other = depthjax.init_variables(model, jax.random.key(8), 16)
    assert variables_sha256(variables) == variables_sha256(expected) != variables_sha256(other)
    keys = [variables_sha256({"key": jax.random.key(seed)}) for seed in (0, 0, 1)]
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("no_such:f", ["no module 'no_such'", "package.module:function"]),
        ("own_networks:plane", ["unknown function 'plane'", "did you mean 'plain'"]),
        ("own_networks:NUMBER", ["unknown function 'NUMBER'"]),
        ("own_networks:", ["unknown function ''", "plain"]),
        ("own_networks:three", ["must return a depthjax.models.Network", "(int, int, int)"]),
        ("own_networks:broken", ["own_networks:broken raised RuntimeError: no such file"]),
        ("own_broken:f", ["cannot be imported", "ModuleNotFoundError", "no_such_package"]),
        ("hf-hub:timm/resnet18.a1_in1k", ["timm:resnet18", "weights hf://timm/resnet18.a1_in1k"]),
        ("onxx:model.onnx", ["no module 'onxx'", "python:…"]),
    ],
)
def test_what_cannot_be_had_is_one_line(name, parts):
    message = error_of(lambda: depthjax.build_model(name))
    assert all(part in message for part in parts), message


def test_fields_that_it_does_not_take_and_weights_that_it_does_not_bring():
    message = error_of(lambda: depthjax.build_model("own_networks:plain", depth=3))
    assert "depth" in message and "plain(width=4)" in message
    for name in ("own_networks:plain", "resnet18"):
        assert "brings no weights" in error_of(lambda name=name: find_model(name, {}).pretrained())
    assert "package.module:function" in error_of(lambda: depthjax.build_model("resnet19"))


def test_the_script_inverts_it_and_says_where_it_came_from(script, own):
    asked = {"model": "own_networks:trained", "images": ["chelsea"], "size": 16, "layers": "pool"}
    with flagsaver.flagsaver(**asked, steps=1, frames=0, output=str(own / "run")):
        script.main()
    config = json.loads((own / "run" / "config.json").read_text())
    assert (config["model"], config["weights"]) == ("own_networks:trained", "pretrained")
    expected = variables_sha256(find_model("own_networks:trained", {}).pretrained())
    assert config["weights_file"]["sha256"] == expected


@pytest.mark.parametrize("function", ["trained", "plain"])
def test_weights_are_those_that_it_brings_unless_others_are_asked_for(script, function):
    with flagsaver.flagsaver(model=f"own_networks:{function}"):
        model = cli.model_from_flags()
        given = script.FLAGS.weights
        by_default = cli.weights_from_flags(model, 16).variables
    with flagsaver.flagsaver(model=f"own_networks:{function}", weights="untrained"):
        assert cli.model_from_flags() == model
        asked = cli.weights_from_flags(model, 16).variables
    untrained = depthjax.init_variables(model, jax.random.key(0), 16)
    brought = depthjax.init_variables(model, jax.random.key(7), 16)
    assert given == ("pretrained" if function == "trained" else "untrained")
    hashes = [variables_sha256(v) for v in (by_default, asked, untrained, brought)]
    assert hashes[:2] == [hashes[3 if function == "trained" else 2], hashes[2]]


def test_networks_of_a_study_may_be_the_weights_that_it_brings():
    with (
        own_flags(cli.define_network_flags),
        flagsaver.flagsaver(
            model="own_networks:trained", networks=["untrained", "mine=pretrained"], seeds=["0"]
        ),
    ):
        found = cli.networks_from_flags(cli.model_from_flags(), 16)
    assert [weights.record["source"] for (weights,) in found.values()] == [
        "untrained",
        "pretrained",
    ]


def test_a_cell_of_a_sweep_finds_it_and_notices_other_weights(own):
    (cell, *_) = cells(
        model="own_networks:trained", model_fields={}, weights="pretrained", layers="relu",
        images=["chelsea"], seeds=[0],
    )  # fmt: skip
    rows = inversions.run_cell(cell, own / "state")
    assert [row["model"] for row in rows] == ["own_networks:trained"]
    changed = {**cell, "weights_sha256": "0"}
    message = error_of(lambda: inversions.load_cell(changed))
    assert "'pretrained' have changed since the sweep was begun" in message


def test_workers_of_ray_find_it_too(own):
    command = [
        sys.executable, str(ROOT / "experiments" / "sweep.py"), "--model=own_networks:trained",
        "--networks=pretrained", "--seeds=0", "--layers=relu", "--images=chelsea", "--size=16",
        "--steps=2", "--output=sweep", "--workers=1", "--attempts=1",
    ]  # fmt: skip
    ended = subprocess.run(command, cwd=own, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    status = SweepFolder(own / "sweep").status(attempts=1)
    assert (len(status.done), status.failed) == (1, {}), ended.stderr
    assert not list((own / "sweep").glob("failed/*.json")), ended.stderr
    assert "own_networks:trained" in ended.stdout
