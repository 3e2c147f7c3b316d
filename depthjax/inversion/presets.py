"""Settings of methods of the field, by name: what their published code does, in our terms.

docs/presets.md says where each number is from, and what is done otherwise here.
"""

import ast
import re
from collections.abc import Collection
from typing import Any

Settings = dict[str, Any]

_PAPER: Settings = {
    "steps": 500,
    "objective": "l1",
    "optimizer": "sgd",
    "learning_rate": 0.1,
    "schedule": "linear",
    "pixels": "none",
}

# Pixels of Mahendran & Vedaldi are 255 times ours; the mean norm of their images at 227×227×3
# divides the penalties and multiplies the rate, both by its square.
_GREYS, _NORM = 255.0, 2.7098e4
_L6, _TV = 8e-10 / 2, 10 / 2

_FAST: Settings = {
    "steps": 200,
    "optimizer": "lbfgs",
    "learning_rate": 1.0,
    "schedule": "constant",
    "fourier_decay": 0.5,
    "trust_radius": 0.1,
}

PRESETS: dict[str, Settings] = {
    "converging": {},
    "fast": _FAST,
    "accurate": _FAST | {"steps": 600, "soft_gates": 0.3},
    "paper": _PAPER | {"objective_scale": 0.15, "final_learning_rate": 0.1, "blur": True},
    "paper_mlp": _PAPER | {"objective_scale": 0.35, "final_learning_rate": 1e-4},
    "mahendran2015": {
        "steps": 400,
        "objective": "relative_squared_l2",
        "penalty": (f"{_L6 * _GREYS**6 / _NORM**2:.6g}*l6 + {_TV * _GREYS**2 / _NORM**2:.6g}*tv2"),
        "optimizer": "sgd",
        "optimizer_options": {"momentum": 0.9},
        "learning_rate": 0.004 * (_NORM / _GREYS) ** 2,
        "schedule": "stairs",
        "stairs": (1, 0.1, 0.1, 0.01),
        "pixels": "none",
        "start_mean": 0.5,
        "start_std": 0.27,
    },
    "feather2023": {
        "steps": 24_000,
        "objective": "relative_l2",
        "optimizer": "normalized_sgd",
        "learning_rate": 1.0,
        "schedule": "stairs",
        "stairs": tuple(0.5**block for block in range(8)),
        "relu_gradient": "fake",
        "start_mean": 0.5,
        "start_std": 0.05,
    },
    # 0.036: theirs is 0.05 for coefficients that are 4·0.346 times ours at 224×224.
    "lucid": {
        "steps": 512,
        "objective": "dot",
        "parametrisation": "fourier:1,decorrelated,sigmoid",
        "transform": "jitter:8,scale:0.9:1.1,rotate:10,jitter:4",
        "optimizer": "adam",
        "learning_rate": 0.036,
        "schedule": "constant",
        "relu_gradient": "redirected",
        "start": "pink",
        "start_mean": 0.5,
        "start_std": 0.003,
    },
    "maco": {
        "steps": 256,
        "objective": "dot_cosine",
        "parametrisation": "phase,decorrelated,sigmoid",
        "transform": "noise:0.08",
        "optimizer": "nadam",
        "learning_rate": 1.0,
        "schedule": "constant",
        "start": "pink",
        "start_mean": 0.5,
        "start_std": 0.2,
    },
}
"""Fields of `InversionConfig` that differ from its defaults, by the name of the method."""

_CHANGE = re.compile(r":(?=\w+=)")
"""Before a change; the colons of `tv:1e-4` are none."""


def parsed(word: str, known: Collection[str]) -> tuple[str, Settings]:
    """A preset and its changes, from `converging:steps=800:penalty=tv:1e-4`.

    Args:
        word: the name of a preset, then a colon before each `field=value`.
        known: names of fields.

    Raises:
        ValueError: for a change of what is no field.
    """
    name, *changes = _CHANGE.split(word)
    fields = {}
    for change in changes:
        field, separator, value = change.partition("=")
        if not separator or field not in known:
            raise ValueError(f"{change!r} in {word!r} is no change of a setting, such as steps=800")
        fields[field] = _value_of(value)
    return name, fields


def _value_of(text: str) -> Any:
    """Numbers, truth and tuples as Python writes them; all else is text."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
