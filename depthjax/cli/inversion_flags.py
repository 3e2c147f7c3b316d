"""The flags of an inversion: a preset, and one flag for each field of `InversionConfig`."""

import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import jax
from absl import flags

from depthjax.devices.precision import PRECISIONS
from depthjax.errors import one_of
from depthjax.inversion.config import SCHEDULES, STEP_SCALES, InversionConfig
from depthjax.inversion.memory import fitting_batch
from depthjax.inversion.objectives import OBJECTIVES
from depthjax.inversion.optimizers import OPTIMIZERS
from depthjax.inversion.priors import PIXEL_HANDLING, STARTS
from depthjax.typing import LayerFn, Variables

FLAGS = flags.FLAGS
flags.disclaim_key_flags()  # so that --help of a script shows what it asks for here

PRESETS: dict[str, Callable[..., InversionConfig]] = {
    "converging": InversionConfig,
    "fast": InversionConfig.fast,
    "paper": InversionConfig.paper,
    "paper_mlp": lambda **fields: InversionConfig.paper("mlp", **fields),
}


_OVERRIDES: dict[str, tuple[Callable[..., Any], str]] = {
    "steps": (flags.DEFINE_integer, "updates of the image"),
    "objective": (flags.DEFINE_string, f"one of {', '.join(OBJECTIVES)}"),
    "objective_scale": (flags.DEFINE_float, "the constant c before the objective"),
    "optimizer": (flags.DEFINE_string, f"{', '.join(OPTIMIZERS)}, or any other of optax"),
    "learning_rate": (flags.DEFINE_float, "rate of the first step"),
    "final_learning_rate": (flags.DEFINE_float, "rate of the last step"),
    "schedule": (flags.DEFINE_string, f"between them: {', '.join(SCHEDULES)}"),
    "step_scale": (flags.DEFINE_string, f"{', '.join(STEP_SCALES)}: measured for each layer"),
    "fourier_decay": (
        flags.DEFINE_float,
        "not 0: optimise Fourier coefficients, those of frequency f times f^this",
    ),
    "trust_radius": (flags.DEFINE_float, "largest RMS change of an image in one step; 0: any"),
    "rematerialize": (
        flags.DEFINE_boolean,
        "less memory for more time: activations are computed twice",
    ),
    "blur": (flags.DEFINE_boolean, "3×3 Gaussian blur after every step"),
    "blur_sigma": (flags.DEFINE_float, "its width at the first step, in pixels"),
    "final_blur_sigma": (flags.DEFINE_float, "its width at the last step, in pixels"),
    "pixels": (flags.DEFINE_string, f"outside [0, 1]: {', '.join(PIXEL_HANDLING)}"),
    "penalty_weight": (flags.DEFINE_float, "weight of --pixels=penalty"),
    "start": (
        flags.DEFINE_string,
        f"{', '.join(STARTS)}; a+b is their average, a,b take turns over restarts",
    ),
    "start_mean": (flags.DEFINE_float, "mean of Gaussian and pink starts"),
    "start_std": (flags.DEFINE_float, "standard deviation of Gaussian and pink starts"),
    "restarts": (flags.DEFINE_integer, "independent descents for each image and layer"),
    "record_every": (flags.DEFINE_integer, "steps between two records of the distances"),
    "plateau": (flags.DEFINE_float, "stop when the objective improves by less than this fraction"),
    "patience": (flags.DEFINE_integer, "… within so many steps"),
    "precision": (flags.DEFINE_string, f"of products in the descent: {', '.join(PRECISIONS)}"),
}


@cache
def define_inversion_flags() -> None:
    """--preset, and a flag for every field of `InversionConfig` that overrides it."""
    flags.DEFINE_string("preset", "converging", f"settings to begin with: {', '.join(PRESETS)}")
    for name, (define, description) in _OVERRIDES.items():
        define(name, None, f"{description} (default: the preset's)")


def config_from_flags() -> InversionConfig:
    """The preset, with the flags that were given put over it."""
    one_of("preset", FLAGS.preset, PRESETS)
    given = {name: FLAGS[name].value for name in _OVERRIDES if FLAGS[name].value is not None}
    return PRESETS[FLAGS.preset](**given)


def batch_from_flags(
    name: str,
    layer: LayerFn,
    variables: Variables,
    shape: tuple[int, ...],
    config: InversionConfig,
) -> int:
    """How many images × restarts run at once; says so where that is not all of them.

    Raises:
        ValueError: if --max_batch is neither auto nor a positive number, or nothing fits.
    """
    count, devices = shape[0] * config.restarts, jax.local_device_count()
    if FLAGS.max_batch == "auto":
        fit = fitting_batch(layer, variables, shape[1:], -(-count // devices), config)
        if fit.batches > 1:
            each = f" on each of {devices} devices" if devices > 1 else ""
            print(f"{name}: {count} descents, {fit}{each}", file=sys.stderr)
        return min(count, fit.batch * devices)
    if not FLAGS.max_batch.isdecimal() or int(FLAGS.max_batch) < 1:
        raise ValueError(f"--max_batch must be auto or a number from 1, got {FLAGS.max_batch!r}")
    return min(count, int(FLAGS.max_batch))
