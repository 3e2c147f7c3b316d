"""The loop over the steps of a training, on all devices.

    state = init_state(model, variables, config)
    for progress in fit(model, state, dataset, config):
        ...                               # progress.state is complete: save it, measure it
    evaluate(model, progress.state.weights, test_set)

What a single step does is in `depthjax.training.step`.
"""

from collections.abc import Iterator
from typing import NamedTuple

import jax.numpy as jnp
from jax.sharding import Mesh

from depthjax.data import Augmentation, Dataset, Position, batches
from depthjax.devices.sharding import check_divides, data_mesh, replicate, split_batch
from depthjax.models import Network
from depthjax.models.normalization import Normalization
from depthjax.training.config import TrainingConfig
from depthjax.training.evaluation import check_classes
from depthjax.training.step import (
    StepMetrics,
    TrainState,
    numbers_of,
    structure_of,
    train_step,
)


class Progress(NamedTuple):
    """Where a training stands after a step.

    Fields:
        state: the state, on the devices. The next step reuses its memory: keep a copy of what you
            need later.
        position: in the data; `position.batch` is 0 when an epoch has ended.
        metrics: of the step, on the devices.
        step: number of steps taken, counted on the host: to read it does not wait for the devices.
    """

    state: TrainState
    position: Position
    metrics: StepMetrics
    step: int


class TrainingDiverged(ValueError):
    """The loss or its gradient is no longer finite; `progress` holds the last good state."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        super().__init__(
            f"training diverged at step {int(progress.state.failed)}: the loss or its gradient is"
            " not finite; the state before is kept: take a lower learning_rate, a warm-up, or"
            " gradient_clip"
        )


def fit(
    model: Network,
    state: TrainState,
    dataset: Dataset,
    config: TrainingConfig,
    *,
    normalization: Normalization | None = None,
    position: Position | None = None,
    mesh: Mesh | None = None,
    check_every: int = 50,
) -> Iterator[Progress]:
    """Trains, one step at a time, until `config.epochs` are over.

    The same state and position give the same steps, bit for bit on one machine, wherever training
    was interrupted. The examples of a batch are split over all devices; BatchNorm sees the whole
    batch. The loop itself waits for the devices only every `check_every` steps.

    Args:
        model: a model of `depthjax.models`, with at least one output for each class.
        state: from `init_state`, or from a checkpoint.
        dataset: the training set.
        config: the settings.
        normalization: of the pixels, inside the network.
        position: where to continue in the data, from the checkpoint of the state.
        mesh: of the devices; by default all.
        check_every: after how many steps a failure is noticed at the latest.

    Yields:
        A `Progress` after every step.

    Raises:
        TrainingDiverged: with the last good state; at once if the given state has diverged.
        ValueError: for a batch size that the set or the devices cannot have, or too many classes.
    """
    mesh = mesh or data_mesh()
    augmentation = dataset.augmentation if config.augment else Augmentation()
    check_classes(model, dataset, augmentation)
    check_divides(mesh, config.batch_size)
    per_epoch = config.steps_per_epoch(len(dataset))
    if remainder := len(dataset) % config.batch_size * (not config.drop_remainder):
        check_divides(mesh, remainder, "a last batch")
    structure = structure_of(config, augmentation, normalization)
    numbers = numbers_of(config, per_epoch)
    if int(state.failed) >= 0:  # it was saved when this was noticed, and nothing mends it
        unknown = StepMetrics(*[jnp.asarray(jnp.nan)] * 4)
        where = position or Position(0, 0, "")
        step = where.epoch * per_epoch + where.batch
        raise TrainingDiverged(Progress(state, where, unknown, step))
    state = replicate(state, mesh)
    stream = batches(
        dataset,
        config.batch_size,
        seed=config.seed,
        position=position,
        epochs=config.epochs,
        shuffle=config.shuffle,
        drop_remainder=config.drop_remainder,
        sharding=split_batch(mesh),
    )
    for count, (images, labels, position) in enumerate(stream, 1):
        state, metrics = train_step(model, structure, numbers, state, images, labels)
        step = position.epoch * per_epoch + position.batch
        progress = Progress(state, position, metrics, step)
        if (position.batch == 0 or count % check_every == 0) and int(state.failed) >= 0:
            raise TrainingDiverged(progress)
        yield progress
