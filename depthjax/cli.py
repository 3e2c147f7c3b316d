"""What the scripts share: flags, errors in one line, progress bars, the compilation cache."""

import ast
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from absl import app, flags, logging
from tqdm import tqdm

from depthjax.config import (
    OPTIMIZERS,
    SCHEDULES,
    STEP_SCALES,
    InversionConfig,
)
from depthjax.errors import one_of
from depthjax.inversion import Progress
from depthjax.models import build_model
from depthjax.models.network import Network
from depthjax.objectives import OBJECTIVES
from depthjax.precision import PRECISIONS
from depthjax.priors import PIXEL_HANDLING, STARTS

FLAGS = flags.FLAGS
PRESETS: dict[str, Callable[..., InversionConfig]] = {
    "converging": InversionConfig,
    "paper": InversionConfig.paper,
    "paper_mlp": lambda **fields: InversionConfig.paper("mlp", **fields),
}

_OVERRIDES: dict[str, tuple[Callable[..., Any], str]] = {
    "steps": (flags.DEFINE_integer, "updates of the image"),
    "objective": (flags.DEFINE_string, f"one of {', '.join(OBJECTIVES)}"),
    "objective_scale": (flags.DEFINE_float, "the constant c before the objective"),
    "optimizer": (flags.DEFINE_string, f"of optax: {', '.join(OPTIMIZERS)}, …"),
    "learning_rate": (flags.DEFINE_float, "rate of the first step"),
    "final_learning_rate": (flags.DEFINE_float, "rate of the last step"),
    "schedule": (flags.DEFINE_string, f"between them: {', '.join(SCHEDULES)}"),
    "step_scale": (flags.DEFINE_string, f"{', '.join(STEP_SCALES)}: measured for each layer"),
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


def define_model_flags() -> None:
    """--model, its fields, its weights."""
    flags.DEFINE_string("model", "resnet50", "architecture, see the README for the list")
    flags.DEFINE_multi_string(
        "model_field", [], "a field of the architecture, such as width=16 or widths=2000,2000"
    )
    flags.DEFINE_string("weights", "untrained", "untrained: torchvision's initialisation")
    flags.DEFINE_integer("weights_seed", 0, "seed of untrained weights")


def define_inversion_flags() -> None:
    """--preset, and a flag for every field of `InversionConfig` that overrides it."""
    flags.DEFINE_string("preset", "converging", f"settings to begin with: {', '.join(PRESETS)}")
    for name, (define, description) in _OVERRIDES.items():
        define(name, None, f"{description} (default: the preset's)")


def define_script_flags() -> None:
    """--traceback and --compilation_cache."""
    flags.DEFINE_boolean("traceback", False, "show where an error came from")
    flags.DEFINE_boolean("compilation_cache", True, "keep compiled programs for the next run")


def fields_from_flags() -> dict[str, Any]:
    """The fields of the architecture that --model_field sets."""
    fields = {}
    for setting in FLAGS.model_field:
        name, separator, value = setting.partition("=")
        if not separator:
            raise ValueError(f"--model_field={setting!r} is not of the form name=value")
        fields[name] = _literal(value)
    return fields


def model_from_flags() -> Network:
    """The model that the flags ask for."""
    return build_model(FLAGS.model, **fields_from_flags())


def config_from_flags() -> InversionConfig:
    """The preset, with the flags that were given put over it."""
    one_of("preset", FLAGS.preset, PRESETS)
    given = {name: FLAGS[name].value for name in _OVERRIDES if FLAGS[name].value is not None}
    return PRESETS[FLAGS.preset](**given)


def _literal(text: str) -> Any:
    """`16`, `2000,2000`, `True`, or else the text itself."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return tuple(value) if isinstance(value, list) else value


def enable_compilation_cache() -> None:
    """Keeps every compiled program in the user's cache directory."""
    if not FLAGS.compilation_cache or "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    jax.config.update("jax_compilation_cache_dir", str(home / "depthjax" / "xla"))
    # The default keeps nothing that compiled in under a second, which is most of what we run.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


class DescentBar:
    """A progress bar over the steps of one descent; silent when not on a terminal."""

    def __init__(self, description: str, steps: int) -> None:
        self._bar = tqdm(
            total=steps, desc=description, unit="step", disable=None, dynamic_ncols=True
        )

    def __call__(self, progress: Progress, embedding_ratio: np.ndarray) -> None:
        """Moves to where the descent stands."""
        self._bar.set_postfix_str(f"ρ {np.nanmedian(embedding_ratio):.3g}", refresh=False)
        self._bar.update(progress.step - self._bar.n)

    def __enter__(self) -> "DescentBar":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()


def run(main: Callable[[], None]) -> None:
    """Parses flags and runs a script: bad input gives one line and exit status 2."""

    def guarded(argv: list[str]) -> None:
        try:
            if len(argv) > 1:
                raise ValueError(
                    f"unexpected argument {argv[1]!r}: everything is a flag, --name=value"
                )
            enable_compilation_cache()
            main()
        except ValueError as error:
            if FLAGS.traceback:
                traceback.print_exc()
            message = " ".join(str(error).split())
            print(f"{Path(argv[0]).name}: error: {message}", file=sys.stderr)
            sys.exit(2)

    # absl shows what libraries log, such as which accelerators jax looked for in vain.
    logging.set_verbosity(logging.WARNING)
    app.run(guarded)
