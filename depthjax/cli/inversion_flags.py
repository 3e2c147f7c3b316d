"""The flags of an inversion: a preset, and one flag for each field of `InversionConfig`."""

import re
import sys
from collections.abc import Sequence
from typing import Any

import jax
from absl import flags

from depthjax.cli.setting_flags import define_setting_flags, given_settings
from depthjax.inversion.config import InversionConfig
from depthjax.inversion.memory import largest_batch
from depthjax.inversion.presets import PRESETS
from depthjax.typing import LayerFn, Variables

FLAGS = flags.FLAGS
flags.disclaim_key_flags()  # so that --help of a script shows what it asks for here


def define_inversion_flags() -> None:
    """--preset, and a flag for each field of `InversionConfig`, which overrides the preset's."""
    flags.DEFINE_string("preset", "converging", f"settings to begin with: {', '.join(PRESETS)}")
    define_setting_flags(InversionConfig, default=preset_defaults())


def preset_defaults() -> dict[str, str]:
    """What each field of `InversionConfig` is without its flag, in words, by preset."""
    fields = InversionConfig.__dataclass_fields__
    return {name: _by_preset(name, field.default) for name, field in fields.items()}


_LONGEST = 32
"""So many characters a preset's value is printed with; of longer ones only that there is one."""


def _by_preset(field: str, default: Any) -> str:
    """`400; fast 200; paper and paper_mlp 500`: the value of the first, then what differs."""
    presets: dict[str, list[str]] = {}
    for name, settings in PRESETS.items():
        presets.setdefault(_said(settings.get(field, default)), []).append(name)
    (first, _), *others = presets.items()
    return "; ".join([first, *(f"{_listed(names)} {said}" for said, names in others)])


def _said(value: Any) -> str:
    """A value as it is typed, or `its own` where that is long."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (tuple, list)):
        value = ",".join(map(_said, value))
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return "its own" if len(text) > _LONGEST else text or "none"


def _listed(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def define_linear_descent_flags() -> None:
    """--steps and --rate of the gradient descent that linear theory predicts."""
    flags.DEFINE_integer("steps", 1_000, "updates of the image", lower_bound=1)
    flags.DEFINE_float(
        "rate", 0.5, "rate of a step, over 1 / 2σ₁² at the start; linear layers bear 2"
    )


def config_from_flags() -> InversionConfig:
    """The settings of `--preset`, changed by the flags that were given.

    Raises:
        ValueError: for an unknown preset, and values that a field may not have.
    """
    return InversionConfig.preset(FLAGS.preset, **given_settings(InversionConfig))


def configs_from_words(words: Sequence[str]) -> dict[str, InversionConfig]:
    """Several settings by name, from words such as `smooth=converging:penalty=tv:1e-4`.

    Flags that were given replace what a preset says, and a word what a flag says.

    Args:
        words: each a preset with changes (`InversionConfig.from_word`), after its name and `=` or
            without one.

    Raises:
        ValueError: for a word that says nothing, and for two of one name.
    """
    found: dict[str, InversionConfig] = {}
    for text in words:
        label = _LABEL.match(text)
        word = text[label.end() :] if label else text
        name = re.sub(r"[^\w.=-]+", "_", label[1] if label else word)
        if name in found:
            raise ValueError(f"two settings are called {name!r}; name one of them: NAME={word}")
        found[name] = InversionConfig.from_word(word, **given_settings(InversionConfig))
    return found


_LABEL = re.compile(r"([\w.-]+)=(?=\w+(?::\w+=|$))")
"""The name before a word; the = of a change comes after a colon."""


def batch_from_flags(
    name: str,
    layer: LayerFn,
    variables: Variables,
    shape: tuple[int, ...],
    config: InversionConfig,
) -> int:
    """How many images × restarts are inverted at once, by `--max_batch`.

    Where memory does not hold all of them, a line on stderr says so.

    Args:
        name: of the layer, for that line.
        layer: what is inverted.
        variables: its weights.
        shape: of the images, `(B, H, W, C)`.
        config: of the inversion.

    Raises:
        ValueError: if `--max_batch` is neither auto nor a positive number, or if memory does not
            hold a single image.
    """
    count = shape[0] * config.restarts
    if FLAGS.max_batch == "auto":
        most, fit = largest_batch(layer, variables, shape, config)
        if fit.batches > 1:
            devices = jax.local_device_count()
            each = f" on each of {devices} devices" if devices > 1 else ""
            print(f"{name}: {count} descents, {fit}{each}", file=sys.stderr)
        return most
    if not FLAGS.max_batch.isdecimal() or int(FLAGS.max_batch) < 1:
        raise ValueError(f"--max_batch must be auto or a number from 1, got {FLAGS.max_batch!r}")
    return min(count, int(FLAGS.max_batch))
