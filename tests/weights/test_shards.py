"""Weights in several files: by their index, in a folder, and what an index must not name."""

import json

import jax
import numpy as np
import pytest
import safetensors.numpy
from torch_archives import pickled, storage, tensor, zipped

import depthjax
from depthjax.weights import fetch, load_weights, to_torch_state_dict
from depthjax.weights.shards import read_weights

MODEL = depthjax.build_model("resnet18", width=4, stage_sizes=(1,), num_classes=3)
FIRST, SECOND = (f"model-0000{number}-of-00002.safetensors" for number in (1, 2))
INDEX = "model.safetensors.index.json"


@pytest.fixture
def folder(tmp_path):
    variables = depthjax.init_variables(MODEL, jax.random.key(0))
    state = {k: np.ascontiguousarray(v) for k, v in to_torch_state_dict(variables).items()}
    names = list(state)
    places = {name: FIRST if i < 5 else SECOND for i, name in enumerate(names)}
    for part in (FIRST, SECOND):
        held = {name: state[name] for name in names if places[name] == part}
        safetensors.numpy.save_file(held, tmp_path / part)
    write_index(tmp_path, places)
    return tmp_path


def write_index(folder, places):
    (folder / INDEX).write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": places}))


def places_of(folder):
    return json.loads((folder / INDEX).read_text())["weight_map"]


@pytest.mark.parametrize("source", ["", INDEX])
def test_an_index_or_its_folder_gives_the_whole(source, folder):
    file = fetch(folder / source)
    assert file.path == folder / INDEX
    expected = depthjax.init_variables(MODEL, jax.random.key(0))
    for loaded in (load_weights(MODEL, file), load_weights(MODEL, folder / source)):
        jax.tree.map(np.testing.assert_array_equal, loaded, expected)


def test_the_hash_is_of_all_parts(folder):
    before = fetch(folder).sha256
    assert fetch(folder / INDEX).sha256 == before
    state = {k: v + 1 for k, v in safetensors.numpy.load_file(folder / SECOND).items()}
    safetensors.numpy.save_file(state, folder / SECOND)
    assert fetch(folder).sha256 != before


def test_parts_of_torch_save(tmp_path):
    for number in (1, 2):
        content = pickled(**{f"w{number}": tensor(place=storage())})
        numbers = np.full(4, number, "<f4").tobytes()
        (tmp_path / f"pytorch_model-0000{number}-of-00002.bin").write_bytes(
            zipped(content, {"0": numbers})
        )
    places = {f"w{n}": f"pytorch_model-0000{n}-of-00002.bin" for n in (1, 2)}
    index = tmp_path / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"weight_map": places}))
    state = read_weights(index)
    assert {name: array.tolist() for name, array in state.items()} == {
        "w1": [1, 1, 1, 1],
        "w2": [2, 2, 2, 2],
    }


def refused(source, expected):
    with pytest.raises(ValueError, match=expected) as caught:
        load_weights(MODEL, source)
    assert str(caught.value).isprintable()


def test_one_part_alone_names_the_index(folder):
    refused(folder / FIRST, rf"{FIRST} is part 1 of 2; give the index, {INDEX}, which lies beside")
    (folder / INDEX).unlink()
    refused(folder / SECOND, r"is part 2 of 2; give the index, .* with all parts beside it")


def test_the_only_part_is_the_whole(folder):
    whole = {
        **safetensors.numpy.load_file(folder / FIRST),
        **safetensors.numpy.load_file(folder / SECOND),
    }
    safetensors.numpy.save_file(whole, folder / "model-00001-of-00001.safetensors")
    load_weights(MODEL, folder / "model-00001-of-00001.safetensors")


@pytest.mark.parametrize(
    "part",
    ["../secret.safetensors", "/etc/passwd", "a/b.safetensors", "..", ".", "", "a\\b", "C:a", "a\n",
     "a\x00b", "~", 3, None, ["a"]],
)  # fmt: skip
def test_an_index_names_only_files_beside_it(part, folder):
    safetensors.numpy.save_file({"w": np.ones(1)}, folder.parent / "secret.safetensors")
    write_index(folder, {**places_of(folder), "conv1.weight": part})
    refused(folder / INDEX, r"names a part .* no plain name of a file beside it")


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"weight_map": []}', '{"weight_map": null}', "\xff", "[" * 100_000],
)
def test_what_is_no_index_is_named(text, folder):
    (folder / INDEX).write_text(text, "latin1")
    refused(folder / INDEX, f"{INDEX} is no index of weights")


def test_a_part_that_is_not_there_is_named(folder):
    (folder / SECOND).unlink()
    refused(folder, f"{INDEX} names a part {SECOND}, which is not there")


def test_an_array_that_is_not_there_is_named(folder):
    places = places_of(folder)
    write_index(folder, {**places, "layer9.weight": FIRST})
    refused(folder, f"{FIRST} lacks layer9.weight, which {INDEX} places there")


def test_a_folder_without_weights_is_unknown(tmp_path):
    refused(tmp_path, "holds no weights under their usual names")
