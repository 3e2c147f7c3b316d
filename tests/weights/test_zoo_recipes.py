"""The recorded commands still lead to the networks of the zoo."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from depthjax.training.runs import load_training
from depthjax.weights import zoo_card

ROOT = Path(__file__).parents[2]


def test_the_first_epochs_are_those_that_were_recorded(tmp_path):
    """Later ones drift apart, by rounding that differs from machine to machine."""
    network, epochs = zoo_card()["resnet18_small/noise/0"], 1
    _, script, *arguments = shlex.split(network.command)
    done = subprocess.run(
        [
            sys.executable,
            script,
            *arguments,
            f"--until_epoch={epochs}",
            f"--output={tmp_path / 'again'}",
            "--nocompilation_cache",
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = load_training(tmp_path / "again").curve
    assert len(rows) == epochs
    for number, row in enumerate(rows):
        for column in ("train_loss", "learning_rate"):
            recorded = network.curve[column][number]
            assert getattr(row, column) == pytest.approx(recorded, rel=0.03)
    assert rows[-1].train_accuracy == pytest.approx(
        network.curve["train_accuracy"][epochs - 1], abs=0.05
    )
