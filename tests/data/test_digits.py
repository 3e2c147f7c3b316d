"""Handwritten digits, prepared for real; and preparing when things go wrong."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from depthjax.data import card, open_dataset


@pytest.fixture(scope="module")
def digits(data_dir):
    return pytest.importorskip("depthjax.data.digits", reason="needs tensorflow-datasets")


def test_all_of_scikit_learns_digits_are_there_once(digits, data_dir):
    from sklearn.datasets import load_digits

    parts = [
        open_dataset("digits", split=split, data_dir=data_dir)
        for split in ("train", "validation", "test")
    ]
    assert [len(part) for part in parts] == [1258, 269, 270]
    assert card("digits", data_dir=data_dir).counts["train"] == 1258
    found = [part.read(np.arange(len(part))) for part in parts]
    images = np.concatenate([images for images, _ in found])
    labels = np.concatenate([labels for _, labels in found])
    assert images.shape == (1797, 8, 8, 1) and images.dtype == np.uint8
    data = load_digits()

    def rows(values, classes):
        return sorted(map(tuple, np.column_stack([values.reshape(1797, -1), classes]).tolist()))

    assert rows(np.rint(images / (255 / 16)).astype(int), labels) == rows(
        data.images.astype(int), data.target
    )


def test_a_kill_while_preparing_leaves_nothing_that_looks_whole(digits, tmp_path):
    code = (
        "import os, signal\n"
        "from depthjax.data import digits, open_dataset\n"
        "examples = digits.Digits._examples\n"
        "def killed(self, *args):\n"
        "    for number, example in enumerate(examples(self, *args)):\n"
        "        if number == 100:\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        "        yield example\n"
        "digits.Digits._examples = killed\n"
        f"open_dataset('digits', data_dir={str(tmp_path)!r})\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    left = [os.path.join(folder, file) for folder, _, names in os.walk(tmp_path) for file in names]
    assert any(".array_record" in file for file in left), "it was killed before it wrote"
    assert not os.path.exists(tmp_path / "digits" / "1.0.0")
    assert len(open_dataset("digits", data_dir=tmp_path)) == 1258


def test_another_process_may_finish_first(digits, tmp_path, monkeypatch):
    examples = digits.Digits._examples

    def overtaken(self, *args):
        monkeypatch.setattr(digits.Digits, "_examples", examples)
        assert len(open_dataset("digits", data_dir=tmp_path)) == 1258  # all of it, in between
        yield from examples(self, *args)

    monkeypatch.setattr(digits.Digits, "_examples", overtaken)
    dataset = open_dataset("digits", split="test", data_dir=tmp_path)
    assert len(dataset) == 270
    assert sorted(path.name for path in (tmp_path / "digits").iterdir()) == ["1.0.0"]


def test_an_error_while_preparing_is_one_line_and_leaves_nothing(digits, tmp_path, monkeypatch):
    def failing(self, *args):
        yield from ()
        raise OSError("No space left\non device")

    monkeypatch.setattr(digits.Digits, "_examples", failing)
    with pytest.raises(ValueError, match=r"cannot prepare 'digits' in .*No space left on device"):
        open_dataset("digits", data_dir=tmp_path)
    assert not list((tmp_path / "digits").iterdir())


def test_a_data_dir_that_cannot_be_written(digits, tmp_path):
    place = tmp_path / "file"
    place.write_text("")
    with pytest.raises(ValueError, match="cannot prepare 'digits'") as caught:
        open_dataset("digits", data_dir=place)
    assert "\n" not in str(caught.value)


def test_a_folder_in_the_way_is_not_taken_for_a_set(digits, tmp_path):
    (tmp_path / "digits" / "1.0.0").mkdir(parents=True)
    with pytest.raises(ValueError, match="holds no prepared data set; move it away"):
        open_dataset("digits", data_dir=tmp_path)
