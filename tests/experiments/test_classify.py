"""What a network in a package of pip sees in photographs, with a package that the test makes."""

import jax
import jax.numpy as jnp
import pytest
from error_messages import error_of
from script_running import rows_of, runner, script_fixture

import depthjax
from depthjax.images import load_images
from depthjax.models.labels import imagenet_classes
from depthjax.weights import PACKAGED, PackagedNetwork, save_weights

script = script_fixture("classify")
run = runner({"networks": ["tiny"], "images": ["chelsea", "coffee"]})


def package(folder, classes):
    """A package whose module has the weights of an MLP for 8×8 pixels."""
    fields = {"widths": (6, classes)}
    network = PackagedNetwork(
        "tiny-mlp", "w.safetensors", "mlp", None, 8, "CC0", "nothing", model_fields=fields
    )
    (folder / "tiny_mlp").mkdir()
    (folder / "tiny_mlp" / "__init__.py").touch()
    variables = depthjax.init_variables(network.build(), jax.random.key(2), 8)
    save_weights(folder / "tiny_mlp" / "w.safetensors", variables)
    return network, variables


def test_the_likeliest_classes_of_each_photograph(script, tmp_path, monkeypatch):
    network, variables = package(tmp_path, 1000)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(PACKAGED, "tiny", network)
    run(script, tmp_path / "seen")
    _, images = load_images(["chelsea", "coffee"], 8)
    logits = depthjax.Layer(network.build(), "fc2")(variables, jnp.asarray(images))
    summary = (tmp_path / "seen" / "summary.md").read_text(encoding="utf-8")
    for row, expected in zip(rows_of(tmp_path / "seen"), jax.nn.softmax(logits), strict=True):
        order = [int(index) for index in jnp.argsort(-expected)[:3]]
        assert [row[f"class_{n}"] for n in (1, 2, 3)] == [imagenet_classes()[i] for i in order]
        assert float(row["probability_1"]) == pytest.approx(float(expected[order[0]]), rel=1e-4)
        assert f"{row['class_1']} {expected[order[0]]:.2f}" in summary


def test_a_network_of_other_classes_is_refused(script, tmp_path, monkeypatch):
    network, _ = package(tmp_path, 2)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(PACKAGED, "tiny", network)
    assert "other classes" in error_of(lambda: run(script, tmp_path / "seen"))
