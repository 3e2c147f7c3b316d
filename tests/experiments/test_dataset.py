"""The command that prepares a data set: its card on stdout, bad input in one line."""

import os
import subprocess
import sys
import time
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "experiments" / "dataset.py"


def run(*arguments: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"PYTHONPATH": str(SCRIPT.parents[1])}
    return subprocess.run(
        [sys.executable, str(SCRIPT), "--nocompilation_cache", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
    )


def test_a_card(data_dir):
    done = run("--dataset=digits", f"--data_dir={data_dir}")
    assert done.returncode == 0, done.stderr
    assert "| `digits` |" in done.stdout and "train 1258, validation 269, test 270" in done.stdout
    assert "CC BY 4.0" in done.stdout
    assert not done.stderr


def test_what_is_not_prepared_ends_soon_and_in_one_line(tmp_path, data_dir):
    began = time.perf_counter()
    done = run("--dataset=tfds:imagenet2012", f"--data_dir={tmp_path}")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("dataset.py: error: tfds:imagenet2012 is not prepared")
    assert str(tmp_path) in done.stderr
    assert time.perf_counter() - began < 20  # 5 for what is tested here; the rest is imports


def test_help_lists_the_flags_that_scripts_share():
    done = run("--help")
    assert "--dataset" in done.stdout and "--data_dir" in done.stdout
