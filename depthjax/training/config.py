"""The settings of a training."""

from dataclasses import dataclass

from depthjax.devices.precision import PRECISIONS
from depthjax.errors import require
from depthjax.settings import check_settings, described, setting

OPTIMIZERS = ("sgd", "adam", "adamw")
SCHEDULES = ("cosine", "constant")


@described
@dataclass(frozen=True)
class TrainingConfig:
    """How a network is trained. Frozen, hashable, compared by value.

    Raises:
        ValueError: for unknown names and for numbers out of range.
    """

    epochs: int = setting(10, "passes over the training set", least=1)
    batch_size: int = setting(128, "examples in a step, over all devices together", least=1)
    optimizer: str = setting(
        "sgd", "sgd (with momentum), adam, or adamw (decoupled weight decay)", among=OPTIMIZERS
    )
    learning_rate: float = setting(0.1, "the highest learning rate", above=0)
    warmup_epochs: float = setting(
        0.0, "epochs in which the learning rate rises linearly to its highest", least=0
    )
    schedule: str = setting(
        "cosine",
        "how the learning rate goes after the warm-up: cosine falls to 0 at the end of the last"
        " epoch, constant stays",
        among=SCHEDULES,
    )
    momentum: float = setting(0.9, "the momentum of sgd", least=0, below=1)
    weight_decay: float = setting(
        5e-4, "weight decay of kernels; biases and BatchNorm have none", least=0
    )
    label_smoothing: float = setting(
        0.0, "the probability that is spread evenly over all classes", least=0, below=1
    )
    gradient_clip: float = setting(
        0.0, "the largest norm of the whole gradient; 0 for no limit", least=0
    )
    ema_decay: float = setting(
        0.0,
        "decay of an exponential moving average of the weights and statistics, which is then what"
        " is evaluated and saved; smaller in the first steps; 0 for no average",
        least=0,
        below=1,
    )
    precision: str = setting(
        "float32",
        f"precision of activations and gradients: {', '.join(PRECISIONS)}; the weights stay"
        " float32",
        among=PRECISIONS,
    )
    shuffle: bool = setting(True, "whether each epoch has an order of its own")
    drop_remainder: bool = setting(
        True, "whether the examples that do not fill a last batch are left out"
    )
    augment: bool = setting(True, "whether the images are augmented as the data set prescribes")
    seed: int = setting(
        0, "seed of the order of examples, augmentation and dropout; not of the first weights"
    )

    def __post_init__(self) -> None:
        check_settings(self)
        warmup = self.warmup_epochs
        require(warmup <= self.epochs, "warmup_epochs", warmup, "at most epochs")

    def steps_per_epoch(self, examples: int) -> int:
        """The number of steps in one pass over so many examples."""
        if self.drop_remainder:
            return examples // self.batch_size
        return -(-examples // self.batch_size)
