"""The zoo: names to files, what the listing says, and errors in one line."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import depthjax
from depthjax.files import file_sha256
from depthjax.weights import ZooNetwork, fetch, load_weights, save_weights, zoo_card
from depthjax.weights.tables import zoo_table
from depthjax.weights.zoo import LISTING, ZOO, listing, zoo_name

SMALL = depthjax.build_model("resnet18_small")
JUDGE_FIELDS = {"width": 4, "num_classes": 2}


@pytest.fixture(scope="module")
def zoo(tmp_path_factory) -> Path:
    """One network of each kind of name, in half precision."""
    folder = tmp_path_factory.mktemp("zoo")
    networks = {}
    for name, fields, seed in (
        ("resnet18_small/photos/0", {}, 10),
        ("resnet18_small/noise/1", {}, 11),
        ("photos_or_noise/0", JUDGE_FIELDS, 12),
    ):
        network = ZooNetwork(
            name, "resnet18_small", int(name[-1]), fields, "noise/32", {"train": "train[:9]"}, 2,
            accuracy={"train": 0.5}, half_accuracy={"train": 0.501}, command="python x",
            curve={"epoch": [1, 2], "validation_loss": [None, 0.5]},
        )  # fmt: skip
        variables = depthjax.init_variables(network.build(), jax.random.key(seed))
        half = jax.tree.map(lambda leaf: np.asarray(leaf, np.float16), variables)
        save_weights(folder / network.file, half)
        sha256 = file_sha256(folder / network.file)
        networks[name] = ZooNetwork(**{**vars(network), "sha256": sha256})
    (folder / LISTING).write_text(listing(networks))
    return folder


def error_of(source, folder) -> str:
    with pytest.raises(ValueError, match=r"\w") as caught:
        fetch(source, zoo=folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("source", "file", "seed"),
    [
        ("zoo:resnet18_small/photos", "resnet18_small_photos_0", 10),
        ("zoo:resnet18_small/photos/0", "resnet18_small_photos_0", 10),
        ("zoo:resnet18_small/noise/1", "resnet18_small_noise_1", 11),
        ("zoo:photos_or_noise", "photos_or_noise_0", 12),
    ],
)
def test_a_trained_network(zoo, source, file, seed):
    found = fetch(source, zoo=zoo)
    assert found.path == zoo / f"{file}.safetensors"
    assert found.sha256 == file_sha256(found.path) and found.normalization is None
    assert found.record() == {"source": source, "revision": None, "sha256": found.sha256}
    assert found.network is not None
    model = found.network.build()
    expected = depthjax.init_variables(model, jax.random.key(seed))
    variables = load_weights(model, found)
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {np.dtype(np.float32)}
    for ours, theirs in zip(jax.tree.leaves(variables), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2**-11, atol=2**-24)


@pytest.mark.parametrize("model", ["resnet18_small", "vgg_small"])
def test_untrained_networks_are_made(tmp_path, model):
    """In an empty zoo too."""
    network = depthjax.build_model(model)
    for source, seed in ((f"zoo:{model}/untrained", 0), (f"zoo:{model}/untrained/3", 3)):
        found = fetch(source, zoo=tmp_path)
        assert found.path is None and found.sha256 is None and found.normalization is None
        variables = load_weights(network, found)
        expected = depthjax.init_variables(network, jax.random.key(seed))
        jax.tree.map(np.testing.assert_array_equal, variables, expected)


def test_weights_of_another_model(zoo):
    message = r"build_model\('resnet18_small', width=4, num_classes=2\).*--model_field=width=4"
    with pytest.raises(ValueError, match=message) as caught:
        load_weights(SMALL, fetch("zoo:photos_or_noise", zoo=zoo))
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="of another model than this VGG"):
        load_weights(depthjax.build_model("vgg_small"), "zoo:resnet18_small/untrained")
    other = depthjax.build_model("resnet18_small", num_classes=3)
    loaded = load_weights(other, fetch("zoo:resnet18_small/photos", zoo=zoo), drop_head=True)
    assert loaded["params"]["fc"]["bias"].shape == (3,)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet18_small/photo", "did you mean 'resnet18_small/photos/0'"),
        ("resnet18_small/photos/7", "'resnet18_small/photos/0'"),
        ("resnet18_smal/photos", "'resnet18_small/photos/0'"),
        ("vgg_small/untraind", "'vgg_small/untrained/SEED'"),
        ("resnet50/untrained", "unknown network of the zoo 'resnet50/untrained'"),
        ("", "Known: photos_or_noise/0, resnet18_small/noise/1"),
    ],
)
def test_unknown_names_say_what_there_is(zoo, name, expected):
    message = error_of(f"zoo:{name}", zoo)
    assert expected in message and "photos_or_noise/0" in message


def test_a_file_that_is_missing_or_another(zoo, tmp_path):
    (tmp_path / LISTING).write_bytes((zoo / LISTING).read_bytes())
    assert "photos_0.safetensors of the zoo is missing" in error_of(
        "zoo:resnet18_small/photos", tmp_path
    )
    (tmp_path / "resnet18_small_photos_0.safetensors").write_bytes(b"x")
    assert "has the SHA-256 2d711642b726" in error_of("zoo:resnet18_small/photos", tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", '{"a/b/0": {"colour": 1}}', '{"a/b/0": 3}'])
def test_a_damaged_listing(tmp_path, content):
    (tmp_path / LISTING).write_text(content)
    assert "is damaged" in error_of("zoo:resnet18_small/photos", tmp_path)


def test_the_zoo_that_comes_with_the_package():
    """Whatever it has fits, is what the listing says, and is small."""
    files = {path.name for path in ZOO.glob("*.safetensors")}
    networks = zoo_card()
    assert files == {network.file for network in networks.values()}
    assert sum(path.stat().st_size for path in ZOO.iterdir()) <= 3_200_000
    for name, network in networks.items():
        load_weights(network.build(), f"zoo:{name}")


def test_an_empty_zoo(tmp_path):
    assert zoo_card(tmp_path) == {}
    (tmp_path / LISTING).write_text(listing({}))
    assert zoo_card(tmp_path) == {}
    assert zoo_table([]) == "No network is packed yet."


finite = st.floats(0, 1)


@given(
    accuracy=st.dictionaries(st.sampled_from(["train", "test"]), finite),
    curve=st.dictionaries(st.text(max_size=5), st.lists(st.none() | finite, max_size=3)),
    fields=st.dictionaries(st.sampled_from(["width", "num_classes"]), st.integers(1, 9)),
)
def test_the_listing_comes_back(tmp_path_factory, accuracy, curve, fields):
    folder = tmp_path_factory.mktemp("listing")
    networks = {
        name: ZooNetwork(
            name, "vgg_small", 1, fields, accuracy=accuracy, curve=curve, sha256="0" * 64
        )
        for name in ("a/b/0", "a/b/1")
    }
    text = listing(networks)
    (folder / LISTING).write_text(text)
    assert zoo_card(folder) == networks
    assert len(text.splitlines()) == 4 and json.loads(text)


def test_names_of_networks():
    assert zoo_name("vgg_small", "photo_crops/32", 2) == "vgg_small/photos/2"
    assert zoo_name("vgg_small", "noise/32/1", 0) == "vgg_small/noise/0"
    assert zoo_name("resnet18_small", "photos_or_noise/32", 0) == "photos_or_noise/0"
    with pytest.raises(ValueError, match="unknown data set of the zoo 'digits'"):
        zoo_name("vgg_small", "digits", 0)


def test_the_table(zoo):
    lines = zoo_table(list(zoo_card(zoo).values())).splitlines()
    assert len(lines) == 2 + 3
    assert "`zoo:photos_or_noise/0`" in lines[3] or "`zoo:photos_or_noise/0`" in lines[2]
    assert all("50.1%" in line and "0.10 points" in line for line in lines[2:])
    assert "resnet18_small, width=4, num_classes=2" in "".join(lines)
