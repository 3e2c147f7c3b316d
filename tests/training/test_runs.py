"""Trainings in a folder: the same files after a kill at any moment, and one line on a full disk."""

import itertools
import pickle

import numpy as np
import pytest
from killed import is_killed_at

from depthjax.checkpoint import Checkpoint, Checkpoints
from depthjax.data import Augmentation, Dataset, Position
from depthjax.data.dataset import in_memory
from depthjax.files import TEMPORARY
from depthjax.folders.begin import begin
from depthjax.models import MLP
from depthjax.training import Evaluation, Progress, TrainingConfig, runs
from depthjax.training.step import StepMetrics, TrainState

CONFIG = TrainingConfig(epochs=3, batch_size=1)
PER_EPOCH = 4
LOSSES = {1: 0.9, 2: 0.5, 3: 0.7}  # the second epoch is the best


def state_of(step, epoch=0):
    """A state that says which step it is of; plain arrays, so that no device is asked."""
    return TrainState(
        np.int32(step), {"params": {"fc1": {"kernel": np.full((2, 3), step, np.float32)}}},
        {"trace": np.float32(step)}, None, np.zeros(2, np.uint32),
        np.array([4 * LOSSES.get(epoch, 0), 0, 4], np.float32), np.int32(-1),
    )  # fmt: skip


class SlowToKeepTheBest(Checkpoints):
    """Checkpoints of which the last is written at once, and the best no sooner than it must be.

    Orbax writes in threads of its own, which copies of this process must not have.
    """

    def __init__(self, folder):
        self.folder, self.pending = folder, {}

    def save(self, step, state, meta, *, kind):
        self.pending[self.folder / kind] = pickle.dumps(Checkpoint(step, state, meta))
        if kind == "last":
            self._write(self.folder / kind)

    def _write(self, path):
        runs.write_atomically(path, self.pending.pop(path))

    def restore(self, like, *, kind="last"):
        path = self.folder / kind
        return pickle.loads(path.read_bytes()) if path.is_file() else None

    def wait(self):
        for path in list(self.pending):
            self._write(path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.wait()


def pretend_fit(model, state, dataset, config, *, normalization, position):
    """Counts, instead of learning."""
    assert int(state.step) == (position.epoch * PER_EPOCH + position.batch if position else 0)
    for step in range(int(state.step) + 1, config.epochs * PER_EPOCH + 1):
        epoch, batch = divmod(step, PER_EPOCH)
        metrics = StepMetrics(*[np.float32(0)] * 4)
        yield Progress(state_of(step, epoch), Position(epoch, batch, "so"), metrics, step)


@pytest.fixture
def train(monkeypatch):
    """`train` of a network that learns nothing, in no time."""
    monkeypatch.setattr(runs, "Checkpoints", SlowToKeepTheBest)
    monkeypatch.setattr(runs, "fit", pretend_fit)
    monkeypatch.setattr(runs, "init_state", lambda *_: state_of(0))
    monkeypatch.setattr(runs, "evaluate", lambda *_, **__: Evaluation(0.5, 0.25, 1.0, 4))
    monkeypatch.setattr(runs, "save_weights", save_step)
    pixels = in_memory(np.zeros((4, 1, 1, 3), np.uint8), np.zeros(4, np.int32))
    data = Dataset("four", "train", ("a",), (1, 1, 3), 4, pixels, Augmentation())
    task = runs.Task(MLP(widths=(3,)), {}, CONFIG, data)

    def run(folder):
        with begin(folder, {"of": "a training"}, resume=True) as opened:
            return runs.train(opened.path, task, checkpoint_every=3)

    return run


def save_step(path, weights, *, normalization, model):
    kernel = weights["params"]["fc1"]["kernel"]
    runs.write_atomically(path, str(kernel[0, 0]).encode())


def contents(folder):
    """The files of a training but for its checkpoints; without what tells of time."""
    files = {path.name: path for path in folder.iterdir() if path.is_file()}
    texts = {name: path.read_text() for name, path in files.items() if not TEMPORARY.match(name)}
    curve = [line.rpartition(",")[0] for line in texts.pop("learning_curve.csv").splitlines()]
    texts.pop("config.json")
    return curve, texts


def test_the_files_are_those_of_the_last_and_the_best_epoch(train, tmp_path):
    training = train(tmp_path)
    assert [row.step for row in training.curve] == [4, 8, 12]
    curve, texts = contents(tmp_path)
    assert texts["weights.safetensors"] == "12.0" and texts["best.safetensors"] == "8.0"
    assert len(curve) == 4 and "train" in training.results
    for name in texts:
        (tmp_path / name).unlink()
    (tmp_path / "learning_curve.csv").unlink()
    train(tmp_path)
    assert contents(tmp_path) == (curve, texts)  # all of them follow from the checkpoints


def test_an_epoch_survives_json():
    """A checkpoint keeps the learning curve as text."""
    row = runs.Epoch(1, 4, 0.1, 0.9, 0.5, float("nan"), 0.25, 1.0, 2.5)
    texts = [repr(value) for value in row]
    assert repr(runs._epoch_from_texts(texts)) == repr(row)


def test_killed_at_any_touch_of_its_folder_it_ends_with_the_same_files(train, tmp_path):
    train(tmp_path / "whole")
    for number in itertools.count(1, 7):
        folder = tmp_path / f"killed{number}"
        if not is_killed_at(number, folder, lambda folder=folder: train(folder)):
            break
        train(folder)
        assert contents(folder) == contents(tmp_path / "whole"), number
    assert number > 60
