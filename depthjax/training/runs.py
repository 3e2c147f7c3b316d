"""A training is a folder: resumed after a kill at any moment, with the same result to the bit.

    config.json           what was asked for, with versions, device and git revision
    checkpoints/          by Orbax: the last two and the best. Weights, optimiser, position in the
                          data, seeds and the learning curve so far
    learning_curve.csv    one row for each epoch
    weights.safetensors   at the end: the last weights
    best.safetensors      at the end: the weights of the best epoch on the validation split
    results.json          at the end: loss and accuracies of the last weights

The checkpoints are the source of everything else: what follows from them is written again by every
process that goes on with the folder, so a kill between two files leaves nothing undone.
"""

import csv
import io
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
from jaxtyping import Array

from depthjax.checkpoint import Checkpoints
from depthjax.data import Dataset, Position
from depthjax.files import write_atomically
from depthjax.folders.config import read_config
from depthjax.models import Network
from depthjax.models.normalization import Normalization
from depthjax.training.config import TrainingConfig
from depthjax.training.evaluation import Evaluation, evaluate
from depthjax.training.loop import Progress, TrainingDiverged, fit
from depthjax.training.step import TrainState, init_state
from depthjax.typing import Variables
from depthjax.weights import save_weights


class Epoch(NamedTuple):
    """A row of the learning curve; NaN where there is no validation split.

    Training loss and accuracy are means over the epoch, in training mode, of weights that change
    meanwhile. Those of validation belong to the weights at its end, in evaluation mode.
    """

    epoch: int
    step: int
    learning_rate: float
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    validation_top5: float
    seconds: float

    @property
    def merit(self) -> tuple[float, float]:
        """Compares epochs: accuracy, then loss, of validation where there is one."""
        if self.validation_accuracy == self.validation_accuracy:  # not NaN
            return self.validation_accuracy, -self.validation_loss
        return self.train_accuracy, -self.train_loss


@dataclass(frozen=True)
class Task:
    """What is learned, and by which network.

    Fields:
        model: the network.
        variables: the weights that training starts from.
        config: the settings.
        train, validation, test: splits; None where there is none.
        normalization: of the pixels, inside the network.
    """

    model: Network
    variables: Variables
    config: TrainingConfig
    train: Dataset
    validation: Dataset | None = None
    test: Dataset | None = None
    normalization: Normalization | None = None

    def evaluate(
        self, weights: Variables, dataset: Dataset, key: Array | None = None
    ) -> Evaluation:
        """Loss and accuracy of weights on a split; with a key, augmented as in training."""
        return evaluate(
            self.model,
            weights,
            dataset,
            normalization=self.normalization,
            augmented=self.config.augment,
            key=key,
        )


@dataclass(frozen=True)
class Training:
    """A training folder, finished or not.

    Fields:
        folder: its path.
        config: the contents of `config.json`.
        curve: a row for each epoch that has ended.
        results: the contents of `results.json`; empty before the end.
    """

    folder: Path
    config: dict[str, Any]
    curve: list[Epoch]
    results: dict[str, dict[str, float]]


def load_training(folder: str | os.PathLike[str]) -> Training:
    """Reads a training folder.

    Raises:
        ValueError: if there is none, or if one of its files cannot be read.
    """
    path = Path(folder)
    config = read_config(path)
    try:
        curve = _read_curve(path / "learning_curve.csv")
        file = path / "results.json"
        results = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(f"the training in {str(path)!r} is damaged: {error}") from error
    return Training(path, config, curve, results)


def train(
    folder: str | os.PathLike[str],
    task: Task,
    *,
    checkpoint_every: int = 500,
    until_epoch: int | None = None,
    measure_train: bool = True,
    on_step: Callable[[Progress], None] | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> Training:
    """Trains in a folder, from its last checkpoint on if it has one.

    Args:
        folder: a run folder that was begun.
        task: what is learned.
        checkpoint_every: steps between two checkpoints; there is one at each epoch's end, too.
        until_epoch: stops after that epoch, to be continued another time. The learning rates are
            those of the whole training.
        measure_train: whether the whole training split is evaluated at the end, too.
        on_step, on_epoch: called after every step, and after every epoch.

    Returns:
        The training; without results if it was stopped.

    Raises:
        TrainingDiverged: after the last good state was saved, as a checkpoint and as weights.
        ValueError: for a data set that does not fit the model, checkpoints that do not fit, and
            files that cannot be written.
    """
    path = Path(folder)
    last = task.config.epochs if until_epoch is None else min(until_epoch, task.config.epochs)
    with Checkpoints(path / "checkpoints") as checkpoints:
        run = _Run(path, task, checkpoints)
        if len(run.curve) < last:
            run.advance(last, checkpoint_every, on_step, on_epoch)
        checkpoints.wait()
        run.write_curve()
        if len(run.curve) == task.config.epochs:
            run.write_weights()
            run.write_results(measure_train)
    return load_training(path)


class _Run:
    """A training in progress: its state and learning curve, and how they are kept on disk."""

    def __init__(self, folder: Path, task: Task, checkpoints: Checkpoints) -> None:
        self.folder, self.task, self.checkpoints = folder, task, checkpoints
        self.state = init_state(task.model, task.variables, task.config)
        self.position: Position | None = None
        self.curve: list[Epoch] = []
        self.began = time.perf_counter()
        if (checkpoint := checkpoints.restore(self.state)) is not None:
            self.state = checkpoint.state
            self.position = Position(**checkpoint.meta["position"])
            self.curve = [_epoch_from_texts(texts) for texts in checkpoint.meta["curve"]]
            self.began -= checkpoint.meta["seconds"]

    def advance(
        self,
        last: int,
        checkpoint_every: int,
        on_step: Callable[[Progress], None] | None,
        on_epoch: Callable[[Epoch], None] | None,
    ) -> None:
        """Trains until the epoch `last` has ended."""
        task = self.task
        steps = fit(
            task.model,
            self.state,
            task.train,
            task.config,
            normalization=task.normalization,
            position=self.position,
        )
        try:
            for progress in steps:
                self.state = progress.state
                if on_step is not None:
                    on_step(progress)
                if progress.position.batch == 0:
                    self._end_epoch(progress)
                    if on_epoch is not None:
                        on_epoch(self.curve[-1])
                    if len(self.curve) >= last:
                        return
                elif progress.position.batch % checkpoint_every == 0:
                    self._save(progress, "last")
        except TrainingDiverged as error:
            self._save(error.progress, "last")
            self._write_weights("weights.safetensors", error.progress.state)
            raise

    def _end_epoch(self, progress: Progress) -> None:
        row = _measure_epoch(self.task, progress, time.perf_counter() - self.began)
        is_best = not self.curve or row.merit > max(earlier.merit for earlier in self.curve)
        self.curve.append(row)
        self.write_curve()
        if is_best:
            self._save(progress, "best")
            # The last checkpoint says that this epoch is over. The best weights must be safe
            # before that: training that goes on from there does not come by them again.
            self.checkpoints.wait()
        self._save(progress, "last")

    def _save(self, progress: Progress, kind: str) -> None:
        meta = {
            "position": progress.position._asdict(),
            "curve": [[repr(value) for value in row] for row in self.curve],  # JSON has no NaN
            "seconds": time.perf_counter() - self.began,
        }
        self.checkpoints.save(int(progress.state.step), progress.state, meta, kind=kind)

    def write_curve(self) -> None:
        """Writes the learning curve so far."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(Epoch._fields)
        writer.writerows(self.curve)
        write_atomically(self.folder / "learning_curve.csv", text.getvalue().encode())

    def write_weights(self) -> None:
        """Writes the last weights, and those of the best epoch."""
        self._write_weights("weights.safetensors", self.state)
        if (best := self.checkpoints.restore(self.state, kind="best")) is not None:
            self._write_weights("best.safetensors", best.state)

    def _write_weights(self, name: str, state: TrainState) -> None:
        weights = jax.device_get(state.weights)
        normalization, model = self.task.normalization, self.task.model
        save_weights(self.folder / name, weights, normalization=normalization, model=model)

    def write_results(self, measure_train: bool) -> None:
        """Evaluates the last weights on the splits, and writes what that gives."""
        task, weights = self.task, jax.device_get(self.state.weights)
        train = task.train if measure_train else None
        splits = {"train": train, "validation": task.validation, "test": task.test}
        results = {
            name: task.evaluate(weights, dataset)._asdict()
            for name, dataset in splits.items()
            if dataset is not None
        }
        if task.test is not None and task.config.augment and task.test.augmentation.by_chance:
            key = jax.random.key(task.config.seed)
            results["test, augmented"] = task.evaluate(weights, task.test, key)._asdict()
        text = json.dumps(results, indent=1) + "\n"
        write_atomically(self.folder / "results.json", text.encode())


def _measure_epoch(task: Task, progress: Progress, seconds: float) -> Epoch:
    """The row of the epoch that has just ended."""
    state = jax.device_get(progress.state._replace(optimizer=None))
    loss, right, count = (float(total) for total in state.totals)
    missing = float("nan")
    validation = Evaluation(missing, missing, missing, 0)
    if task.validation is not None:
        validation = task.evaluate(state.weights, task.validation)
    return Epoch(
        epoch=progress.position.epoch,
        step=int(state.step),
        learning_rate=float(progress.metrics.learning_rate),
        train_loss=loss / max(count, 1),
        train_accuracy=right / max(count, 1),
        validation_loss=validation.loss,
        validation_accuracy=validation.top1,
        validation_top5=validation.top5,
        seconds=round(seconds, 2),
    )


def _read_curve(path: Path) -> list[Epoch]:
    if not path.is_file():
        return []
    with open(path, encoding="utf-8", newline="") as file:
        return [_epoch_from_texts(list(row.values())) for row in csv.DictReader(file)]


def _epoch_from_texts(texts: list[str]) -> Epoch:
    """A row from the text of its values."""
    kinds = Epoch.__annotations__.values()
    return Epoch(*(kind(text) for kind, text in zip(kinds, texts, strict=True)))
