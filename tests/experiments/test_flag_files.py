"""Every file of flags says its command, and names networks, layers and settings that exist."""

import re

from script_loading import loaded
from script_running import every_flag_file, with_flags_of

import depthjax
from depthjax import cli

AGAINST_DEPTH, LEAST_LAYERS = ("compare", "gradients", "metamers", "uniqueness"), 3
"""Studies that say something of depth, which two layers do not show."""


@every_flag_file()
def test_flag_files_name_what_exists(file):
    first = file.read_text().partition("\n")[0]
    command = rf"# python experiments/(\w+)\.py --flagfile=experiments/flags/{file.name}"
    (name,) = re.fullmatch(command, first).groups()
    with loaded(name) as script, with_flags_of(script, file) as flags:
        # Of training, files that several seeds share leave the output to the command.
        assert flags.output == f"runs/{file.stem}" or (name == "train" and flags.output is None)
        if "preset" in flags:
            assert cli.config_from_flags().steps >= 1
        if "model" in flags:
            model = cli.model_from_flags()
            if "layers" in flags:
                least = LEAST_LAYERS if name in AGAINST_DEPTH else 1
                assert len(depthjax.select_layers(model, flags.layers)) >= least
