"""The command that trains: a folder that anything can read, and that no kill can harm."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from script_running import runner, script_fixture

import depthjax
from depthjax.training.runs import load_training

SCRIPT = Path(__file__).parents[2] / "experiments" / "train.py"
ENVIRONMENT = os.environ | {"PYTHONPATH": str(SCRIPT.parents[1])}
FIELDS = {"stage_sizes": (1,), "width": 2, "stem": "small", "num_classes": 100}
TINY = {
    "model": "resnet18", "model_field": [f"{name}={value}" for name, value in FIELDS.items()],
    "dataset": "noise/8", "batch_size": 100, "optimizer": "adamw", "learning_rate": 0.003,
    "ema_decay": 0.9, "epochs": 1,
}  # fmt: skip

script = script_fixture("train")
run = runner(TINY)


@pytest.fixture(autouse=True)
def undrawn(script, monkeypatch):
    """The figure is looked at where a process draws it."""
    monkeypatch.setattr(script, "draw", lambda training: None)


def command(*arguments):
    """The same as a process, which can be killed."""
    fields = [f"--model_field={field}" for field in TINY["model_field"]]
    others = [f"--{name}={value}" for name, value in TINY.items() if name != "model_field"]
    return [sys.executable, str(SCRIPT), *fields, *others, *arguments]


def run_process(*arguments):
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=240, env=ENVIRONMENT
    )


def killed_at_random(folder, kills, seed):
    """Starts the training, kills it at a random moment and goes on, so many times; then ends it.

    Moments are counted from the first checkpoint that the process writes or finds.
    """
    moments, survived = random.Random(seed), []
    for attempt in range(kills):
        resume = ["--resume"] if attempt else []
        process = subprocess.Popen(
            command(f"--output={folder}", "--checkpoint_every=2", *resume),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT,
        )  # fmt: skip
        while process.poll() is None and not newest(folder) > max(survived, default=0):
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 0.4))
        process.send_signal(signal.SIGKILL)
        process.wait()
        survived.append(newest(folder))
    done = run_process(f"--output={folder}", "--checkpoint_every=2", "--resume")
    assert done.returncode == 0, done.stderr
    return survived


def newest(folder):
    """The number of the last step that has a finished checkpoint."""
    steps = [p.name for p in Path(folder, "checkpoints", "last").glob("*") if p.name.isdigit()]
    return max(map(int, steps), default=0)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A training that nothing interrupted."""
    folder = tmp_path_factory.mktemp("train") / "whole"
    done = run_process(f"--output={folder}", "--checkpoint_every=40", "--tensorboard")
    assert done.returncode == 0, done.stderr
    return folder, done


def test_a_training_folder(whole):
    folder, done = whole
    found = load_training(folder)
    assert len(found.curve) == 1
    assert found.curve[0].step == 100
    assert found.config["model_fields"]["width"] == 2
    assert found.config["training"]["ema_decay"] == 0.9
    assert found.results["train"]["examples"] == 10_000
    assert (folder / "figures" / "learning_curve.png").stat().st_size > 5000
    assert next((folder / "tensorboard").glob("events*")).stat().st_size > 500
    assert "epoch 1: loss" in done.stdout
    assert "| train " in done.stdout
    model = depthjax.build_model("resnet18", **FIELDS)
    variables = depthjax.load_weights(model, folder / "weights.safetensors")
    untrained = depthjax.init_variables(model, jax.random.key(0), 8)
    assert not np.array_equal(
        variables["params"]["conv1"]["kernel"], untrained["params"]["conv1"]["kernel"]
    )
    assert (folder / "best.safetensors").is_file()


def test_killed_at_random_moments_it_ends_with_the_same_bits(whole, tmp_path):
    survived = killed_at_random(tmp_path / "killed", kills=2, seed=0)
    assert survived == sorted(set(survived))
    assert 0 < survived[0] < 100
    for name in ("weights.safetensors", "best.safetensors", "results.json"):
        assert (tmp_path / "killed" / name).read_bytes() == (whole[0] / name).read_bytes()
    curves = (load_training(folder).curve for folder in (tmp_path / "killed", whole[0]))
    interrupted, straight = ([row._replace(seconds=0) for row in curve] for curve in curves)
    assert str(interrupted) == str(straight)  # NaN is not NaN


def test_a_finished_training_is_not_trained_again(script, whole, capsys):
    folder, _ = whole
    before = (folder / "weights.safetensors").read_bytes()
    run(script, folder, checkpoint_every=40, resume=True)
    printed = capsys.readouterr().out
    assert "| train " in printed and "epoch 1" not in printed
    assert (folder / "weights.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "already holds a run"),
        (
            {"resume": True, "learning_rate": 1.0},
            r"cannot resume .* its training\.learning_rate is .*, not 1\.0",
        ),
        (
            {"model_field": [*TINY["model_field"], "num_classes=7"], "overwrite": True},
            "has 100 classes and the model 7",
        ),
    ],
)
def test_bad_input_is_one_line_and_harms_nothing(script, whole, changes, message):
    folder, _ = whole
    before = (folder / "results.json").read_bytes()
    with pytest.raises(ValueError, match=message) as error:
        run(script, folder, **changes)
    assert "\n" not in str(error.value)
    assert (folder / "results.json").read_bytes() == before


def test_stopped_after_an_epoch_and_gone_on_with(script, tmp_path, capsys):
    settings = {"epochs": 2, "split": "train[:1000]", "validation_split": "train[1000:1200]"}
    run(script, tmp_path / "t", **settings, until_epoch=1)
    assert "Stopped after epoch 1 of 2" in capsys.readouterr().out
    assert not (tmp_path / "t" / "results.json").exists()
    run(script, tmp_path / "t", **settings, resume=True)
    assert [row.epoch for row in load_training(tmp_path / "t").curve] == [1, 2]


def test_what_diverges_keeps_what_was_good(script, tmp_path):
    with pytest.raises(ValueError, match="training diverged at step"):
        run(script, tmp_path / "d", optimizer="sgd", learning_rate=1e30)
    model = depthjax.build_model("resnet18", **FIELDS)
    depthjax.load_weights(
        model, tmp_path / "d" / "weights.safetensors"
    )  # refuses what is not finite
    assert newest(tmp_path / "d") > 0
