"""The flags of a training: one for each field of `TrainingConfig`."""

from absl import flags

from depthjax.cli.setting_flags import define_setting_flags, settings_from_flags
from depthjax.training.config import TrainingConfig

flags.disclaim_key_flags()  # so that --help of a script shows what it asks for here


def define_training_flags() -> None:
    """A flag for every field of `TrainingConfig`."""
    define_setting_flags(TrainingConfig)


def training_from_flags() -> TrainingConfig:
    """The `TrainingConfig` that the flags ask for."""
    return settings_from_flags(TrainingConfig)
