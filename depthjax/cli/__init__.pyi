from .architecture_flags import (
    define_architecture_flags,
    define_layers_flag,
    model_from_flags,
    normalization_setting,
    size_for,
)
from .bars import DescentBar, DownloadBar, PlanBar, TrainingBar, bar, say_begun, say_done
from .compilation_cache import enable_compilation_cache
from .data_flags import dataset_from_flags, define_data_dir_flag, define_data_flags
from .descent_studies import (
    KEY,
    Asked,
    asked_from_flags,
    define_descent_study_flags,
    descents_from_flags,
    recovered,
)
from .image_flags import (
    FITS,
    THREE_IMAGES,
    channels_of,
    define_image_flags,
    define_images_flag,
    define_size_flag,
    images_from_flags,
    sources_from_flags,
)
from .inversion_flags import (
    batch_from_flags,
    config_from_flags,
    configs_from_words,
    define_inversion_flags,
    define_linear_descent_flags,
)
from .judge_flags import define_judge_flags, judge_from_flags
from .metamer_flags import (
    define_metamer_flags,
    define_metamer_quantile_flag,
    null_from_flags,
)
from .network_flags import define_network_flags, network_sources, networks_from_flags
from .output_flags import define_output_flags, output_from_flags
from .paths import expand
from .seed_flags import (
    define_reference_flags,
    define_reference_seed_flag,
    define_seeds_flag,
    define_start_seed_flag,
    seed_numbers,
    seeds_from_flags,
)
from .setting_flags import define_setting_flags, settings_from_flags
from .start import (
    connect_processes,
    define_script_flags,
    run,
    use_huge_pages,
)
from .studies import (
    begin_output,
    each_place,
    finish_study,
    recover_all,
    say_where,
    with_bar,
)
from .values import (
    check_needed,
    fields_from_flags,
    flag_values,
    parse_fields,
    rising_numbers,
    whole_numbers,
)
from .weights_flags import Weights as Weights
from .weights_flags import define_model_flags, weights_from_flags

__all__ = [
    "FITS",
    "KEY",
    "THREE_IMAGES",
    "Asked",
    "DescentBar",
    "DownloadBar",
    "PlanBar",
    "TrainingBar",
    "Weights",
    "asked_from_flags",
    "bar",
    "batch_from_flags",
    "begin_output",
    "channels_of",
    "check_needed",
    "config_from_flags",
    "configs_from_words",
    "connect_processes",
    "dataset_from_flags",
    "define_architecture_flags",
    "define_data_dir_flag",
    "define_data_flags",
    "define_descent_study_flags",
    "define_image_flags",
    "define_images_flag",
    "define_inversion_flags",
    "define_judge_flags",
    "define_layers_flag",
    "define_linear_descent_flags",
    "define_metamer_flags",
    "define_metamer_quantile_flag",
    "define_model_flags",
    "define_network_flags",
    "define_output_flags",
    "define_reference_flags",
    "define_reference_seed_flag",
    "define_script_flags",
    "define_seeds_flag",
    "define_setting_flags",
    "define_size_flag",
    "define_start_seed_flag",
    "descents_from_flags",
    "each_place",
    "enable_compilation_cache",
    "expand",
    "fields_from_flags",
    "finish_study",
    "flag_values",
    "images_from_flags",
    "judge_from_flags",
    "model_from_flags",
    "network_sources",
    "networks_from_flags",
    "normalization_setting",
    "null_from_flags",
    "output_from_flags",
    "parse_fields",
    "recover_all",
    "recovered",
    "rising_numbers",
    "run",
    "say_begun",
    "say_done",
    "say_where",
    "seed_numbers",
    "seeds_from_flags",
    "settings_from_flags",
    "size_for",
    "sources_from_flags",
    "use_huge_pages",
    "weights_from_flags",
    "whole_numbers",
    "with_bar",
]
