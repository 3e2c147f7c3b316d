"""Folders of imported networks: the same network and bits come back, and nothing else is read."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
import safetensors.numpy
from error_messages import error_of
from small_imports import small_import

import depthjax
from depthjax.files import file_sha256
from depthjax.importing import saving
from depthjax.importing.network import ImportedNetwork
from depthjax.models.network import Node
from depthjax.models.normalization import as_normalization

ROOT = Path(__file__).parents[2]


@pytest.fixture
def saved(tmp_path):
    """A folder, and what was saved in it."""
    model, variables = small_import()
    origin = {"source": "hand:small", "versions": {"numpy": np.__version__}}
    depthjax.save_network(tmp_path, model, variables, normalization="imagenet", origin=origin)
    return tmp_path, model, variables, origin


def test_the_same_network_and_the_same_bits_come_back(saved):
    folder, model, variables, origin = saved
    found = depthjax.load_network(folder)
    assert found.model == model
    assert hash(found.model) == hash(model)
    assert found.normalization == as_normalization("imagenet")
    assert found.origin == origin
    jax.tree.map(np.testing.assert_array_equal, found.variables, variables)
    assert jax.tree.map(lambda x: x.dtype, found.variables) == jax.tree.map(
        lambda x: x.dtype, variables
    )
    images = jax.random.uniform(jax.random.key(1), (2, 8, 8, 3))
    for name in ("stem", "block", "head"):
        ours, theirs = (depthjax.Layer(m, name) for m in (model, found.model))
        np.testing.assert_array_equal(ours(variables, images), theirs(found.variables, images))


def test_equal_networks_have_equal_files_and_others_another_hash(saved, tmp_path_factory):
    folder, model, variables, origin = saved
    again = tmp_path_factory.mktemp("again")
    saving.save_network(again, model, variables, normalization="imagenet", origin=origin)
    for name in saving.FILES:
        assert file_sha256(folder / name) == file_sha256(again / name)
    graph = model.content
    digests = {graph.digest}
    for changed in (
        dataclasses.replace(graph, source="elsewhere"),
        dataclasses.replace(graph, any_size=True),
        dataclasses.replace(
            graph, nodes=(*graph.nodes, Node("last", graph.nodes[2].operation, ("head",)))
        ),
        small_import(any_size=True)[0].content,
    ):
        digests.add(changed.digest)
    assert len(digests) == 5


def test_a_hash_is_the_same_in_every_process(saved):
    folder, model, *_ = saved
    code = "import sys, depthjax; print(depthjax.load_network(sys.argv[1]).model.content.digest)"
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], cwd=ROOT, capture_output=True, text=True,
        timeout=120, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == model.content.digest


def test_only_imported_networks_are_saved_so(tmp_path):
    model = depthjax.build_model("resnet18_small")
    assert "save_weights" in error_of(lambda: depthjax.save_network(tmp_path, model, {}))
    graph = dataclasses.replace(
        small_import()[0].content, nodes=(Node("odd", np.tanh, ("input",)),)
    )
    odd = ImportedNetwork(graph)
    assert "tanh" in error_of(lambda: depthjax.save_network(tmp_path, odd, {}))
    assert not list(tmp_path.iterdir())


def edited(folder, change):
    file = folder / "network.json"
    content = json.loads(file.read_text())
    file.write_text(json.dumps(change(content) or content))


def operation_of(content, name):
    return next(node for node in content["graph"]["nodes"] if node[0] == name)


def renamed_operation(content):
    operation_of(content, "act")[1]["operation"] = "depthjax.GELUU"


def unknown_setting(content):
    operation_of(content, "head")[1]["feature"] = 3


def later_input(content):
    operation_of(content, "stem")[2][0] = "head"


def other_width(content):
    operation_of(content, "head")[1]["features"] = 4


def other_function(content):
    operation_of(content, "stem")[1]["operation"] = "os.system"


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (renamed_operation, ["unknown operation 'depthjax.GELUU'", "did you mean 'depthjax.GELU'"]),
        (other_function, ["unknown operation 'os.system'"]),
        (unknown_setting, ["flax.Dense does not take its settings", "feature"]),
        (later_input, ["stem takes ['head'], which are not all before it"]),
        (other_width, ["of another shape", "params/head/kernel [4, 3] not [4, 4]"]),
        (lambda c: c.update(version=2), ["version 2", "reads version 1"]),
        (lambda c: c.update(format="other"), ["was not written by save_network"]),
        (lambda c: c.update(normalization={"mean": 1}), ["is damaged", "normalization"]),
        (lambda c: c.pop("graph") and None, ["is damaged", "graph"]),
        (lambda c: c["graph"].update(nodes=7), ["is damaged"]),
        (lambda c: [1, 2], ["was not written by save_network"]),
    ],
)
def test_what_is_no_network_is_refused_in_one_line(saved, change, parts):
    edited(saved[0], change)
    message = error_of(lambda: depthjax.load_network(saved[0]))
    assert all(part in message for part in parts), message


def test_weights_must_be_those_that_were_saved(saved):
    folder, *_ = saved
    file = folder / "arrays.safetensors"
    arrays = safetensors.numpy.load_file(file)
    broken = {name: array for name, array in arrays.items() if name != "params/head/bias"}
    safetensors.numpy.save_file(broken, file)
    assert "not the file" in error_of(lambda: depthjax.load_network(folder))
    edited(folder, lambda c: c.update(arrays_sha256=file_sha256(file)))
    assert "1 missing" in error_of(lambda: depthjax.load_network(folder))
    constant = next(name for name in arrays if name.startswith("constants/"))
    safetensors.numpy.save_file({**arrays, constant: arrays[constant] + 1}, file)
    edited(folder, lambda c: c.update(arrays_sha256=file_sha256(file)))
    assert "a constant's hash" in error_of(lambda: depthjax.load_network(folder))
    file.write_bytes(file.read_bytes()[:50])
    assert "damaged" in error_of(lambda: depthjax.load_network(folder))
    assert "no network in" in error_of(lambda: depthjax.load_network(folder / "none"))
