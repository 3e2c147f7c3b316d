"""A training is a folder: resumed after a kill at any moment, with the same result to the bit.

config.json           what was asked for, with versions, device and git revision
checkpoints/          Orbax's: the last two and the best; weights, optimiser, position in the
                      data, seeds and the learning curve so far
learning_curve.csv    one row an epoch
weights.safetensors   when it has ended: the last weights; best.safetensors those of the best
                      epoch on the validation split
results.json          when it has ended: loss and accuracies of the last weights
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
from depthjax.folders.begin import read_config
from depthjax.models import Network
from depthjax.models.normalization import Normalization
from depthjax.training.fit import (
    Evaluation,
    Progress,
    TrainingConfig,
    TrainingDiverged,
    TrainState,
    evaluate,
    fit,
    init_state,
)
from depthjax.typing import Variables
from depthjax.weights import save_weights

Report = Callable[[Progress], None]


class Epoch(NamedTuple):
    """A row of the learning curve; NaN where there is no validation split.

    Training loss and accuracy are means over the epoch, in training mode, of weights that move
    meanwhile; those of validation are of the weights at its end, in evaluation mode.
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


@dataclass(frozen=True)
class Task:
    """What is learned, by what.

    Fields:
        model: the network.
        variables: where training begins.
        config: how.
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
        """Of those weights on that split; with a key, changed at random as in training."""
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
        folder: where it lies.
        config: the contents of `config.json`.
        curve: a row for each epoch that has ended.
        results: the contents of `results.json`; empty before the end.
    """

    folder: Path
    config: dict[str, Any]
    curve: list[Epoch]
    results: dict[str, dict[str, float]]


def load_training(folder: str | os.PathLike[str]) -> Training:
    """A training folder back as tables.

    Raises:
        ValueError: if there is none, or a file of it cannot be read.
    """
    path = Path(folder)
    config = read_config(path)
    try:
        curve = _read_curve(path / "learning_curve.csv")
        results = path / "results.json"
        found = json.loads(results.read_text(encoding="utf-8")) if results.is_file() else {}
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(f"the training in {str(path)!r} is damaged: {error}") from error
    return Training(path, config, curve, found)


def train(
    folder: str | os.PathLike[str],
    task: Task,
    *,
    checkpoint_every: int = 500,
    until_epoch: int | None = None,
    measure_train: bool = True,
    on_step: Report | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> Training:
    """Trains in a folder, from its last checkpoint on if it has one.

    Args:
        folder: a run folder that was begun (`run_folder.begin`).
        task: what is learned.
        checkpoint_every: steps between two checkpoints; the end of an epoch always is one.
        until_epoch: stops after that epoch, to be gone on with another time; the rates are those of
            the whole training.
        measure_train: whether the whole training split is evaluated at the end, too.
        on_step, on_epoch: told after every one.

    Returns:
        The training; without results if it was stopped.

    Raises:
        TrainingDiverged: after the last good state was saved, as a checkpoint and as weights.
        ValueError: for a data set that does not fit the model, and checkpoints that do not fit.
    """
    path = Path(folder)
    state = init_state(task.model, task.variables, task.config)
    position, curve, spent = None, [], 0.0
    with Checkpoints(path / "checkpoints") as checkpoints:
        if (found := checkpoints.restore(state)) is not None:
            state, position = found.state, Position(**found.meta["position"])
            curve = [Epoch(*_numbers(row)) for row in found.meta["curve"]]
            spent = found.meta["seconds"]
        if until_epoch is not None and len(curve) >= until_epoch:
            return load_training(path)
        began = time.perf_counter() - spent

        def save(progress: Progress, kind: str = "last") -> None:
            meta = {
                "position": progress.position._asdict(),
                "curve": [_texts(row) for row in curve],
                "seconds": time.perf_counter() - began,
            }
            checkpoints.save(int(progress.state.step), progress.state, meta, kind=kind)

        try:
            for progress in fit(
                task.model,
                state,
                task.train,
                task.config,
                normalization=task.normalization,
                position=position,
            ):
                state = progress.state
                if on_step is not None:
                    on_step(progress)
                if progress.position.batch == 0:
                    row = _epoch(task, progress, time.perf_counter() - began)
                    best = not curve or _merit(row) > max(map(_merit, curve))
                    curve.append(row)
                    write_atomically(path / "learning_curve.csv", _csv(curve).encode())
                    if best:
                        save(progress, "best")
                    save(progress)
                    if on_epoch is not None:
                        on_epoch(row)
                    if until_epoch is not None and row.epoch >= until_epoch:
                        break
                elif int(progress.position.batch) % checkpoint_every == 0:
                    save(progress)
        except TrainingDiverged as error:
            save(error.progress)
            _save_weights(path / "weights.safetensors", task, error.progress.state)
            raise
        checkpoints.wait()
        write_atomically(path / "learning_curve.csv", _csv(curve).encode())
        if len(curve) < task.config.epochs:
            return load_training(path)
        _save_weights(path / "weights.safetensors", task, state)
        if (best_one := checkpoints.restore(state, kind="best")) is not None:
            _save_weights(path / "best.safetensors", task, best_one.state)
    _write_results(path, task, state, measure_train)
    return load_training(path)


def _epoch(task: Task, progress: Progress, seconds: float) -> Epoch:
    """The row of the epoch that has just ended."""
    state = jax.device_get(progress.state._replace(optimizer=None))
    loss, right, count = (float(total) for total in state.totals)
    found = None if task.validation is None else task.evaluate(state.weights, task.validation)
    nothing = float("nan")
    return Epoch(
        progress.position.epoch,
        int(state.step),
        float(progress.metrics.learning_rate),
        loss / max(count, 1),
        right / max(count, 1),
        nothing if found is None else found.loss,
        nothing if found is None else found.top1,
        nothing if found is None else found.top5,
        round(seconds, 2),
    )


def _merit(row: Epoch) -> tuple[float, float]:
    """What makes an epoch the best: accuracy, then loss, of validation where there is one."""
    if row.validation_accuracy == row.validation_accuracy:  # not NaN
        return row.validation_accuracy, -row.validation_loss
    return row.train_accuracy, -row.train_loss


def _save_weights(path: Path, task: Task, state: TrainState) -> None:
    save_weights(path, jax.device_get(state.weights), normalization=task.normalization)


def _write_results(path: Path, task: Task, state: TrainState, measure_train: bool) -> None:
    train = task.train if measure_train else None
    splits = {"train": train, "validation": task.validation, "test": task.test}
    weights = jax.device_get(state.weights)
    found = {
        name: task.evaluate(weights, dataset)._asdict()
        for name, dataset in splits.items()
        if dataset is not None
    }
    if task.test is not None and task.config.augment and task.test.augmentation.by_chance:
        key = jax.random.key(task.config.seed)
        found["test, augmented"] = task.evaluate(weights, task.test, key)._asdict()
    write_atomically(path / "results.json", (json.dumps(found, indent=1) + "\n").encode())


def _csv(curve: list[Epoch]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Epoch._fields)
    writer.writerows(curve)
    return text.getvalue()


def _read_curve(path: Path) -> list[Epoch]:
    if not path.is_file():
        return []
    with open(path, encoding="utf-8", newline="") as file:
        return [Epoch(*_numbers(tuple(row.values()))) for row in csv.DictReader(file)]


def _texts(row: Epoch) -> list[str]:
    """As JSON takes it, which knows no NaN."""
    return [repr(value) for value in row]


def _numbers(texts: Any) -> list[Any]:
    return [kind(text) for kind, text in zip(Epoch.__annotations__.values(), texts, strict=True)]
