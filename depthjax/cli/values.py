"""What scripts read out of flags: settings, lists of numbers, dataclasses."""

import ast
from collections.abc import Sequence
from typing import Any

from absl import flags

FLAGS = flags.FLAGS


def flag_values(*names: str) -> dict[str, Any]:
    """Flags by name, as they were given: what a run notes of them."""
    return {name: FLAGS[name].value for name in names}


def settings_of(flag: str) -> dict[str, Any]:
    """The `name=value` settings of a flag that may be given several times."""
    return settings(FLAGS[flag].value or (), flag)


def settings(given: Sequence[str], flag: str) -> dict[str, Any]:
    """The values of `name=value`, by name.

    Raises:
        ValueError: for a setting of another form, naming the flag that it came from.
    """
    fields = {}
    for setting in given:
        name, separator, value = setting.partition("=")
        if not separator:
            raise ValueError(f"--{flag}={setting!r} is not of the form name=value")
        fields[name] = _literal(value)
    return fields


def rising(flag: str, *, least: int = 1) -> list[float]:
    """The numbers of a flag that takes a list.

    Raises:
        ValueError: unless they are positive and rise, and `least` of them are given.
    """
    given: list[str] = flag_values(flag)[flag]
    try:
        found = [*map(float, given)]
    except ValueError:
        found = []
    if len(found) < least or sorted(set(found)) != found or found[0] <= 0:
        raise ValueError(
            f"--{flag}={','.join(given)} must be rising numbers above 0, {least} or more"
        )
    return found


def whole_numbers(flag: str) -> tuple[int, ...]:
    """The numbers of a flag that takes a list.

    Raises:
        ValueError: for one that is no whole number of at least 1, and for none.
    """
    texts: list[str] = flag_values(flag)[flag]
    if not texts or not all(text.strip().isdecimal() and int(text) > 0 for text in texts):
        raise ValueError(f"--{flag}={','.join(texts)} must be whole numbers of at least 1")
    return tuple(map(int, texts))


def _literal(text: str) -> Any:
    """`16`, `2000,2000`, `True`, or else the text itself."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return tuple(value) if isinstance(value, list) else value
