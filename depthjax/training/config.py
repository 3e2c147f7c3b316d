"""The settings of a training."""

import math
from dataclasses import dataclass

from depthjax.devices.precision import PRECISIONS
from depthjax.errors import one_of, require

OPTIMIZERS = ("sgd", "adam", "adamw")
SCHEDULES = ("cosine", "constant")


@dataclass(frozen=True)
class TrainingConfig:
    """How a network is trained. Frozen, hashable, compared by value.

    Fields:
        epochs: passes over the training set.
        batch_size: examples in a step, over all devices together.
        optimizer: "sgd" (with momentum), "adam", or "adamw" (decoupled weight decay).
        learning_rate: the highest learning rate.
        warmup_epochs: the learning rate rises to it linearly during so many epochs.
        schedule: "cosine" falls to 0 at the end of the last epoch, "constant" stays.
        momentum: the momentum of "sgd".
        weight_decay: of kernels; biases and BatchNorm have none.
        label_smoothing: the probability that is spread evenly over all classes.
        gradient_clip: the largest norm of the whole gradient; 0 for no limit.
        ema_decay: decay of an exponential moving average of the weights and statistics. The average
            is then what is evaluated and saved. The decay is smaller in the first steps; 0 for no
            average.
        precision: "float32", "tf32" or "bfloat16", of activations and gradients; the weights stay
            float32.
        shuffle: whether each epoch has an order of its own.
        drop_remainder: whether the examples that do not fill a last batch are left out.
        augment: whether the images are augmented as the data set prescribes.
        seed: of the order of examples, augmentation and dropout.

    Raises:
        ValueError: for unknown names and for numbers out of range.
    """

    epochs: int = 10
    batch_size: int = 128
    optimizer: str = "sgd"
    learning_rate: float = 0.1
    warmup_epochs: float = 0.0
    schedule: str = "cosine"
    momentum: float = 0.9
    weight_decay: float = 5e-4
    label_smoothing: float = 0.0
    gradient_clip: float = 0.0
    ema_decay: float = 0.0
    precision: str = "float32"
    shuffle: bool = True
    drop_remainder: bool = True
    augment: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        one_of("optimizer", self.optimizer, OPTIMIZERS)
        one_of("schedule", self.schedule, SCHEDULES)
        one_of("precision", self.precision, PRECISIONS)
        for name in ("epochs", "batch_size"):
            value = getattr(self, name)
            require(value >= 1, name, value, "at least 1")
        rate = self.learning_rate
        require(math.isfinite(rate) and rate > 0, "learning_rate", rate, "positive")
        for name in ("warmup_epochs", "weight_decay", "gradient_clip"):
            value = getattr(self, name)
            require(math.isfinite(value) and value >= 0, name, value, "at least 0")
        for name in ("momentum", "label_smoothing", "ema_decay"):
            value = getattr(self, name)
            require(0 <= value < 1, name, value, "from 0 to below 1")
        warmup = self.warmup_epochs
        require(warmup <= self.epochs, "warmup_epochs", warmup, "at most epochs")

    def steps_per_epoch(self, examples: int) -> int:
        """The number of steps in one pass over so many examples."""
        if self.drop_remainder:
            return examples // self.batch_size
        return -(-examples // self.batch_size)
