"""Presets with changes, as one word: `converging:steps=800:learning_rate=0.1`."""

import ast

from depthjax import InversionConfig


def config_of(word: str) -> InversionConfig:
    """The settings that a word stands for.

    Raises:
        ValueError: for a preset that does not exist, and for a change that it does not take.
    """
    name, *changes = word.split(":")
    fields = {}
    for change in changes:
        field, separator, value = change.partition("=")
        if not separator or field not in InversionConfig.__dataclass_fields__:
            raise ValueError(f"{change!r} in {word!r} is no change of a setting, such as steps=800")
        try:
            fields[field] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            fields[field] = value
    return InversionConfig.preset(name, **fields)
