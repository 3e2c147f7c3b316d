"""Packing: a finished training becomes a file in half precision, or one line says why not."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

import depthjax
from depthjax.data import Augmentation, open_dataset
from depthjax.training import evaluate, packing
from depthjax.training.runs import Epoch, load_training
from depthjax.weights import fetch, load_weights, zoo_card

SCRIPT = Path(__file__).parents[2] / "experiments" / "zoo.py"
MODEL = depthjax.build_model("vgg_small")
SPLIT = "train[:30]"
NAN = float("nan")
CURVE = [
    Epoch(1, 3, 0.1, 4.61234567, 0.01, NAN, NAN, NAN, 1.5),
    Epoch(2, 6, 0.0, 4.0, 1.0, 2.0, 1.0, 1.0, 3.0),
]


def made(folder, *, bias=0.0, top1=None, **changes):
    """A folder as experiments/train.py leaves it, of a network that was never trained."""
    folder.mkdir()
    variables = depthjax.init_variables(MODEL, jax.random.key(2), 32)
    variables["params"]["features.0"]["bias"] += bias
    depthjax.save_weights(folder / "weights.safetensors", variables)
    if top1 is None:
        top1 = evaluate(MODEL, variables, open_dataset("noise/32", split=SPLIT)).top1
    config = {
        "model": "vgg_small", "model_fields": {}, "weights": "untrained", "weights_seed": 2,
        "normalization": None, "dataset": "noise/32", "image_shape": [32, 32, 3],
        "splits": {"train": SPLIT, "validation": None, "test": None},
        "augmentation": vars(Augmentation()), "seed": 2, "training": {"augment": True},
        "environment": {"command": [
            "/home/me/experiments/train.py", "--flagfile=experiments/flags/noise_vgg_small.flags",
            "--weights_seed=2", "--output=/home/me/a", "--overwrite",
        ]},
    }  # fmt: skip
    config = {name: value for name, value in (config | changes).items() if value != "absent"}
    (folder / "config.json").write_text(json.dumps(config))
    lines = [",".join(Epoch._fields), *(",".join(map(str, row)) for row in CURVE)]
    (folder / "learning_curve.csv").write_text("\n".join(lines) + "\n")
    (folder / "results.json").write_text(json.dumps({"train": {"top1": top1}}))
    return folder


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    return made(tmp_path_factory.mktemp("runs") / "a")


def test_packed_by_the_script_and_loaded(training, tmp_path):
    done = subprocess.run(
        [sys.executable, str(SCRIPT), f"--pack={training}", f"--zoo={tmp_path}"],
        capture_output=True, text=True, timeout=240,
        env=os.environ | {"PYTHONPATH": str(SCRIPT.parents[1])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "`zoo:vgg_small/noise/2`" in done.stdout and SPLIT in done.stdout
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["vgg_small_noise_2.safetensors", "zoo.json"]
    (network,) = zoo_card(tmp_path).values()
    assert network.seed == 2 and network.epochs == 2 and network.splits == {"train": SPLIT}
    assert network.command == (
        "python experiments/train.py --flagfile=experiments/flags/noise_vgg_small.flags"
        " --weights_seed=2"
    )
    assert "/home" not in (tmp_path / "zoo.json").read_text()
    assert network.curve["epoch"] == [1, 2] and network.curve["train_loss"] == [4.612, 4]
    assert network.curve["validation_loss"] == [None, 2]
    variables = load_weights(MODEL, fetch("zoo:vgg_small/noise/2", zoo=tmp_path))
    expected = load_weights(MODEL, training / "weights.safetensors")
    for ours, theirs in zip(jax.tree.leaves(variables), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(ours, np.float32(np.float16(theirs)))
    found = evaluate(MODEL, variables, open_dataset("noise/32", split=SPLIT))
    assert network.half_accuracy == {"train": pytest.approx(found.top1, abs=1e-6)}
    assert (tmp_path / network.file).stat().st_size < 180_000


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"top1": 0.9}, r"has an accuracy of 0\.9000 on train, and 0\.[01]"),
        ({"bias": 1e6, "top1": 0.0}, "beyond ±65504"),
        ({"model_fields": {"num_classes": 50}, "top1": 0.0}, "taken for the plain vgg_small"),
        ({"weights": "torchvision:vgg11", "top1": 0.0}, "began from torchvision:vgg11"),
        ({"dataset": "digits", "top1": 0.0}, "unknown data set of the zoo 'digits'"),
        ({"weights_seed": "absent", "top1": 0.0}, "does not say its 'weights_seed'"),
    ],
)
def test_what_is_not_packed(tmp_path, changes, message):
    folder = made(tmp_path / "run", **changes)
    with pytest.raises(ValueError, match=message) as caught:
        packing.pack(load_training(folder))
    assert "\n" not in str(caught.value)


def test_an_unfinished_training(tmp_path):
    folder = made(tmp_path / "run", top1=0.0)
    (folder / "results.json").unlink()
    with pytest.raises(ValueError, match="has not ended"):
        packing.pack(load_training(folder))


def test_nothing_is_written_by_halves(training, tmp_path, monkeypatch):
    packed = packing.pack(load_training(training))
    zoo = tmp_path / "zoo"
    with pytest.raises(ValueError, match="is there twice"):
        packing.write(zoo, [packed, packed])
    monkeypatch.setattr(packing, "MOST_BYTES", len(packed[1]))
    other = packed[0].__class__(**{**vars(packed[0]), "name": "vgg_small/noise/3"})
    with pytest.raises(ValueError, match="may have"):
        packing.write(zoo, [packed, (other, packed[1])])
    assert not zoo.exists()
    packing.write(zoo, [packed])
    before = {path: path.read_bytes() for path in zoo.iterdir()}
    with pytest.raises(ValueError, match="may have"):
        packing.write(zoo, [(other, packed[1])])
    assert {path: path.read_bytes() for path in zoo.iterdir()} == before
    assert packing.write(zoo, [packed]).keys() == {"vgg_small/noise/2"}  # replaces itself
