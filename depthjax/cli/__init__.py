"""What the scripts share: flags, errors in one line, progress bars, the compilation cache."""

from depthjax.cli.architecture_flags import (
    define_architecture_flags,
    fields_from_flags,
    model_from_flags,
    normalization_setting,
)
from depthjax.cli.bars import DescentBar, DownloadBar, TrainingBar
from depthjax.cli.data_flags import dataset_from_flags, define_data_flags
from depthjax.cli.inversion_flags import (
    PRESETS,
    batch_from_flags,
    config_from_flags,
    define_inversion_flags,
)
from depthjax.cli.network_flags import define_network_flags, network_sources, networks_from_flags
from depthjax.cli.setting_flags import define_setting_flags, settings_from_flags
from depthjax.cli.start import (
    connect_processes,
    define_script_flags,
    enable_compilation_cache,
    run,
    use_huge_pages,
)
from depthjax.cli.studies import each_place, recover_all, say_where
from depthjax.cli.training_flags import define_training_flags, training_from_flags
from depthjax.cli.values import flag_values, rising, seed_numbers, settings
from depthjax.cli.weights_flags import define_model_flags, weights_from_flags
from depthjax.studies.networks import Weights

__all__ = [
    "PRESETS",
    "DescentBar",
    "DownloadBar",
    "TrainingBar",
    "Weights",
    "batch_from_flags",
    "config_from_flags",
    "connect_processes",
    "dataset_from_flags",
    "define_architecture_flags",
    "define_data_flags",
    "define_inversion_flags",
    "define_model_flags",
    "define_network_flags",
    "define_script_flags",
    "define_setting_flags",
    "define_training_flags",
    "each_place",
    "enable_compilation_cache",
    "fields_from_flags",
    "flag_values",
    "model_from_flags",
    "network_sources",
    "networks_from_flags",
    "normalization_setting",
    "recover_all",
    "rising",
    "run",
    "say_where",
    "seed_numbers",
    "settings",
    "settings_from_flags",
    "training_from_flags",
    "use_huge_pages",
    "weights_from_flags",
]
