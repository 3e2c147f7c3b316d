"""Paths as people type them: `~` and environment variables, in any flag and in flag files."""

import os
import re
from typing import Any

from absl import flags

_HOME = re.compile(r"(?:^|(?<=[=:]))~[\w.-]*(?=/|$)")
"""`~` or `~user` where a path begins, which may be after `onnx:` or `label=`."""

_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})(?=/)")


def expand(text: str) -> str:
    """A text in which `~`, `~user`, `$NAME` and `${NAME}` are replaced, as a shell does it.

    A shell leaves `--output=~/runs` and `'$HOME/runs'` as they are, and in a flag file there is
    none. A `~` within a path stays, and a `$NAME` that is no variable stays where it is no folder.

    Args:
        text: a path, or what holds one: `folder:~/photos`, `label=~/weights.pth`.

    Raises:
        ValueError: for a folder named after a variable that is not set, and for `~` without a home.
    """
    for match in _VARIABLE.finditer(text):
        name = match[1] or match[2]
        if name not in os.environ and not os.path.exists(text):
            raise ValueError(f"{text!r}: there is no environment variable {name}; set it")
    expanded = os.path.expandvars(text)
    result = _HOME.sub(lambda match: os.path.expanduser(match[0]), expanded)
    if (left := _HOME.search(result)) and left[0] == "~":
        raise ValueError(f"{text!r}: the home folder is not known; set HOME, or write it out")
    return result


def expand_flags(values: flags.FlagValues) -> None:
    """Expands the text of all flags, whether it came from the command line or from a flag file.

    Args:
        values: the flags, parsed.

    Raises:
        ValueError: as `expand`.
    """
    for name in values:
        flag = values[name]
        old = flag.value
        new = _expanded(old)
        if new != old:
            flag.value = new


def _expanded(value: Any) -> Any:
    if isinstance(value, str):
        return expand(value)
    if isinstance(value, list):
        return [_expanded(item) for item in value]
    return value
