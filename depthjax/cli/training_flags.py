"""The flags of a training: one for each field of `TrainingConfig`."""

import dataclasses
from collections.abc import Callable
from typing import Any

from absl import flags

from depthjax.cli.values import settings_from_flags
from depthjax.devices.precision import PRECISIONS
from depthjax.training.config import OPTIMIZERS, SCHEDULES, TrainingConfig

flags.disclaim_key_flags()  # so that --help of a script shows what it asks for here

_TRAINING = {
    "epochs": "passes over the training split",
    "batch_size": "examples in a step, over all devices",
    "optimizer": f"one of {', '.join(OPTIMIZERS)}",
    "learning_rate": "the highest",
    "warmup_epochs": "epochs in which the rate climbs to it",
    "schedule": f"after that: {', '.join(SCHEDULES)}",
    "momentum": "of sgd",
    "weight_decay": "of kernels, not of biases and BatchNorm",
    "label_smoothing": "share of a label's probability that all classes get",
    "gradient_clip": "largest norm of the gradient; 0: any",
    "ema_decay": "of the average of the weights that is saved; 0: no average",
    "precision": f"of activations and gradients: {', '.join(PRECISIONS)}",
    "shuffle": "an order of its own for each epoch",
    "drop_remainder": "leave out the examples that do not fill a last batch",
    "augment": "make the changes that go with the data set",
    "seed": "of the order, augmentations and dropout; --weights_seed is that of the start",
}


def define_training_flags() -> None:
    """A flag for every field of `TrainingConfig`."""
    define: dict[type, Callable[..., Any]] = {
        int: flags.DEFINE_integer,
        float: flags.DEFINE_float,
        bool: flags.DEFINE_boolean,
        str: flags.DEFINE_string,
    }
    for field in dataclasses.fields(TrainingConfig):
        define[type(field.default)](field.name, field.default, _TRAINING[field.name])


def training_from_flags() -> TrainingConfig:
    """The `TrainingConfig` that the flags ask for."""
    return settings_from_flags(TrainingConfig)
