"""Dataclasses of settings, whose fields are written once: type, default, limits and help text.

    @described
    @dataclass(frozen=True)
    class Config:
        steps: int = setting(400, "updates of the image", least=1)
        schedule: str = setting("cosine", "constant or cosine", among=("constant", "cosine"))

        def __post_init__(self) -> None:
            check_settings(self)

`depthjax.cli.define_setting_flags(Config)` makes a flag of each field.
"""

import dataclasses
import math
from collections.abc import Iterable
from typing import Any, NamedTuple, TypeVar

import numpy as np

from depthjax.errors import one_of, require

Class = TypeVar("Class", bound=type)


class Setting(NamedTuple):
    """What is known of a field besides its name, type and default.

    Fields:
        text: what it means, for `--help` and the docstring.
        among: the names that it may have; empty for any.
        what: what such a name is called in an error; by default the name of the field.
        least: the smallest value.
        above: it must be greater than this.
        below: it must be smaller than this.
    """

    text: str
    among: tuple[str, ...] = ()
    what: str = ""
    least: float | None = None
    above: float | None = None
    below: float | None = None

    @property
    def limits(self) -> str:
        """The limits in words, such as "at least 1"; empty without any."""
        limits = []
        if self.least is not None:
            limits.append(f"{'at least' if self.below is None else 'from'} {self.least:g}")
        if self.above is not None:
            limits.append("positive" if self.above == 0 else f"above {self.above:g}")
        if self.below is not None:
            limits.append(f"to below {self.below:g}" if limits else f"below {self.below:g}")
        return " ".join(limits)


def setting(default: Any, text: str, *, among: Iterable[str] = (), **limits: Any) -> Any:
    """A field of a dataclass of settings.

    Args:
        default: its default.
        text: what it means.
        among: the names that it may have; empty for any.
        limits: other fields of `Setting`.
    """
    known = Setting(text, tuple(among), **limits)
    return dataclasses.field(default=default, metadata={"setting": known})


def settings_of(kind: Any) -> dict[str, tuple[dataclasses.Field, Setting]]:
    """The fields of a dataclass, or of an instance, that were made by `setting`, by name."""
    return {
        field.name: (field, field.metadata["setting"])
        for field in dataclasses.fields(kind)
        if "setting" in field.metadata
    }


def described(kind: Class) -> Class:
    """Adds a list of the fields to the docstring of a dataclass."""
    lines = []
    for name, (field, known) in settings_of(kind).items():
        limits = f" ({known.limits})" if known.limits else ""
        lines.append(f"    {name}: {known.text}{limits}. Default: {field.default!r}.")
    kind.__doc__ = "\n".join([(kind.__doc__ or "").rstrip(), "", "Fields:", *lines])
    return kind


def check_settings(config: Any) -> None:
    """Refuses an instance with a value outside the limits of its field.

    Whole numbers become Python's `int`: NumPy's cannot be written as JSON.

    Raises:
        ValueError: naming the field, what it must be, and what it is.
    """
    for name, (field, known) in settings_of(config).items():
        value = getattr(config, name)
        if known.among:
            asked = value if isinstance(value, str) else repr(value)
            one_of(known.what or name.replace("_", " "), asked, known.among)
        elif field.type in (int, float):
            require(_is_within(value, field.type, known), name, value, _wanted(field.type, known))
        if field.type is int:
            object.__setattr__(config, name, int(value))


def is_number(value: Any) -> bool:
    """Whether a value is a finite number of Python's or NumPy's."""
    return isinstance(value, int | float | np.number) and math.isfinite(value)


def _is_within(value: Any, kind: Any, known: Setting) -> bool:
    if isinstance(value, bool) or not is_number(value):
        return False
    if kind is int and not isinstance(value, int | np.integer):
        return False
    return (
        (known.least is None or value >= known.least)
        and (known.above is None or value > known.above)
        and (known.below is None or value < known.below)
    )


def _wanted(kind: Any, known: Setting) -> str:
    """What a number must be, in words."""
    limits = known.limits
    if kind is int:
        return f"a whole number of {limits}" if limits else "a whole number"
    return limits or "finite"
