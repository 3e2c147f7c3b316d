"""Imported networks by name, in the scripts and in sweeps, where PyTorch is not installed."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import onnx_files
import pytest
import safetensors.numpy
from absl.testing import flagsaver
from error_messages import error_of
from script_loading import own_flags
from script_running import script_fixture
from small_imports import small_import

import depthjax
from depthjax import cli
from depthjax.cli import importing
from depthjax.models.catalogue import find_model
from depthjax.models.normalization import as_normalization
from depthjax.models.specifications import variables_sha256
from depthjax.sweeps import inversions
from depthjax.weights import shuffled, weights_of

ROOT = Path(__file__).parents[2]
WITHOUT_TORCH = "import sys; sys.modules['torch'] = None; sys.modules['onnx'] = None; "
script = script_fixture("invert")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A saved network for images of 8×8."""
    place = tmp_path_factory.mktemp("networks") / "mine"
    model, variables = small_import()
    origin = {"source": "hand:small", "weights": {"source": "somewhere"}}
    depthjax.save_network(place, model, variables, normalization="half", origin=origin)
    return place


def test_a_folder_is_a_model(folder):
    model, variables = small_import()
    for name in (f"saved:{folder}", str(folder)):
        assert depthjax.build_model(name) == model
        found = find_model(name, {})
        weights = weights_of(found, "pretrained", 0, 8)
        assert weights.normalization == as_normalization("half")
        assert weights.has_trained_head
        assert weights.record["sha256"] == variables_sha256(variables)
        assert weights.record["model"]["graph_sha256"] == model.content.digest
        stated = weights_of(found, "pretrained", 0, 8, normalization="none")
        assert stated.normalization is None


def test_a_file_of_onnx_is_a_model(tmp_path):
    made = onnx_files.model(
        [
            onnx_files.node("Conv", "images w", "c", pads=[1, 1, 1, 1]),
            onnx_files.node("CumSum", "c axis", "out"),
        ],
        {"w": onnx_files.kernel(4, 3, 3, 3), "axis": np.int64(2)},
    )
    file = onnx_files.saved(tmp_path, made)
    found = find_model(f"onnx:{file}", {})
    model, variables = depthjax.load_onnx(file)
    weights = weights_of(found, "pretrained", 0, 8)
    assert found.model == model
    assert weights.normalization is None
    jax.tree.map(np.testing.assert_array_equal, weights.variables, variables)
    assert "has no untrained weights" in error_of(lambda: weights_of(found, "untrained", 0, 8))
    depthjax.save_network(tmp_path / "kept", model, variables)
    assert depthjax.load_network(tmp_path / "kept").model == model
    onnx_files.saved(tmp_path, onnx_files.model([onnx_files.node("Relu", "images", "out")]))
    assert find_model(f"onnx:{file}", {}).model != model
    assert "width" in error_of(lambda: find_model(f"onnx:{file}", {"width": 3}))
    missing = tmp_path / "none.onnx"
    assert "none.onnx" in error_of(lambda: depthjax.build_model(f"onnx:{missing}"))


def test_its_file_says_nothing_of_untrained_weights(folder):
    found = find_model(str(folder), {})
    message = error_of(lambda: weights_of(found, "untrained", 0, 8))
    assert "shuffled:pretrained" in message
    control = weights_of(found, "shuffled:pretrained", 4, 8)
    expected = shuffled(small_import()[1], 4)
    jax.tree.map(np.testing.assert_array_equal, control.variables, expected)


def test_weights_of_a_file_have_its_normalization_unless_the_file_says_another(folder, tmp_path):
    found = find_model(str(folder), {})
    model, variables = small_import()
    state = depthjax.to_torch_state_dict(variables, model)
    assert "stem.0.weight" in state
    contiguous = {name: array.copy() for name, array in state.items()}
    safetensors.numpy.save_file(contiguous, tmp_path / "silent.safetensors")
    depthjax.save_weights(
        tmp_path / "stated.safetensors", variables, normalization="imagenet", model=model
    )
    for name, expected in (("silent", "half"), ("stated", "imagenet")):
        weights = weights_of(found, str(tmp_path / f"{name}.safetensors"), 0, 8)
        assert weights.normalization == as_normalization(expected)
        jax.tree.map(np.testing.assert_array_equal, weights.variables, variables)


@pytest.mark.parametrize(
    ("name", "fields", "parts"),
    [
        ("timm:resnet18", {}, ["timm:resnet18 needs torch", "pip install 'depthjax[torch]' timm"]),
        ("torchvision:vgg11", {}, ["torchvision:vgg11 needs torch", "torchvision; a network"]),
        ("saved:none", {}, ["no network in 'none'", "no such folder"]),
        ("./none", {}, ["no network in 'none'"]),
        ("saved:none", {"width": 3}, ["takes no fields", "width"]),
    ],
)
def test_what_cannot_be_had_is_one_line(name, fields, parts, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    message = error_of(lambda: depthjax.build_model(name, **fields))
    assert all(part in message for part in parts), message


def test_the_size_is_the_networks_unless_another_is_asked_for(folder, script):
    with flagsaver.flagsaver(model=str(folder)):
        cli.model_from_flags()
        assert (script.FLAGS.size, script.FLAGS.weights) == (8, "pretrained")
    with flagsaver.flagsaver(model=str(folder), size=16):
        cli.model_from_flags()
        assert script.FLAGS.size == 16
    with flagsaver.flagsaver(model="resnet18_small"):
        cli.model_from_flags()
        assert script.FLAGS.size == 224


def test_the_script_inverts_it_and_goes_on(folder, script, tmp_path):
    asked = {"model": str(folder), "images": ["chelsea"], "layers": "stem,block", "frames": 0}
    with flagsaver.flagsaver(**asked, steps=1, output=str(tmp_path / "run")):
        script.main()
    (tmp_path / "run" / "layers" / "block.npz").unlink()
    with flagsaver.flagsaver(**asked, steps=1, output=str(tmp_path / "run"), resume=True):
        script.main()
    run = depthjax.load_run(tmp_path / "run")
    assert run.targets.shape == (1, 8, 8, 3)
    assert list(run.layers) == ["stem", "block"]
    record = run.config["weights_file"]
    assert record["model"]["source"] == "hand:small"
    with (
        flagsaver.flagsaver(**asked, steps=1, output=str(tmp_path / "other"), size=16),
        pytest.raises(ValueError, match="imported for images of 8×8"),
    ):
        script.main()


def test_networks_of_a_study(folder):
    networks = ["pretrained", "control=shuffled:pretrained"]
    with (
        own_flags(cli.define_network_flags),
        flagsaver.flagsaver(model=str(folder), networks=networks, seeds=["0", "1"]),
    ):
        found = cli.networks_from_flags(cli.model_from_flags(), 8)
    hashes = {variables_sha256(weights.variables) for weights in found["control"]}
    assert len(hashes) == 2 and len(found["pretrained"]) == 1


def test_a_cell_of_a_sweep_notices_another_network(folder, tmp_path):
    place = tmp_path / "moved"
    shutil.copytree(folder, place)
    photographs = inversions.Photographs(["chelsea"], 8)
    network = inversions.SweptNetwork(str(place), "shuffled:pretrained")
    config = depthjax.InversionConfig(steps=2)
    (cell,) = inversions.inversion_cells(network, photographs, "block", config)
    rows = inversions.run_cell(cell, tmp_path / "state")
    assert [row["weights"] for row in rows] == ["shuffled:pretrained"]
    model, variables = small_import(any_size=True)
    depthjax.save_network(place, model, variables)
    inversions._network.cache_clear()
    assert "has changed since" in error_of(lambda: inversions.load_cell(cell))


@pytest.mark.parametrize("code", ["import depthjax", "from depthjax.cli import commands"])
def test_names_of_imports_are_known_and_pytorch_is_not_looked_for(code):
    schemes = (
        "from depthjax.models.specifications import schemes;"
        " print(*schemes(), 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}; {schemes}"],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    *known, loaded = done.stdout.split()
    assert {"timm", "torchvision", "onnx", "saved", "python"} <= set(known)
    assert loaded == "False"


def test_the_command_keeps_a_network_and_no_pytorch_is_needed(folder, tmp_path):
    target = tmp_path / "kept"
    call = "from depthjax.cli.commands import main; main()"
    arguments = ("import", f"saved:{folder}", f"--output={target}")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH + call, *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"--model=saved:{target}" in done.stdout
    kept = depthjax.load_network(target)
    assert kept.model == small_import()[0]
    assert kept.normalization == as_normalization("half")
    assert kept.origin["weights"]["source"] == "pretrained"
    assert "numpy" in kept.origin["versions"]
    jax.tree.map(np.testing.assert_array_equal, kept.variables, small_import()[1])
    assert json.loads((target / "network.json").read_text())["version"] == 1


def test_what_is_kept_already_and_what_is_our_own_is_not_imported(folder, tmp_path):
    with own_flags(importing.define_import_flags):
        for model, output, message in (
            (f"saved:{folder}", folder, "--overwrite replaces it"),
            ("resnet18_small", tmp_path / "own", "nothing to import"),
        ):
            with flagsaver.flagsaver(model=model, output=str(output)):
                assert message in error_of(importing.import_network)
    assert not (tmp_path / "own").exists()
