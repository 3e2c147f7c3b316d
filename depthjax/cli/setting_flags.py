"""Flags that follow from the fields of a dataclass of settings, see `depthjax.settings`."""

import types
import typing
from collections.abc import Callable, Container, Mapping
from typing import Any, TypeVar

from absl import flags

from depthjax.cli.values import flag_values
from depthjax.settings import settings_of

flags.disclaim_key_flags()  # so that --help of a script shows what it asks for here

Settings = TypeVar("Settings")

_DEFINERS: dict[type, Callable[..., Any]] = {
    bool: flags.DEFINE_boolean,
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    str: flags.DEFINE_string,
}


def define_setting_flags(
    kind: type, *, without: Container[str] = (), default: Mapping[str, str] | None = None
) -> None:
    """A flag for each field of a dataclass, with the field's type, default and text.

    Fields of other types than bool, int, float and str, such as mappings, have no flag.

    Args:
        kind: the dataclass.
        without: fields that the script defines a flag for itself.
        default: what the help says that the default of each field is; flags that are not given are
            then None.
    """
    for name, (field, known) in settings_of(kind).items():
        definer = _definer(field.type)
        if name in without or definer is None:
            continue
        notes = [known.limits, f"default: {default[name]}" if default else ""]
        note = "; ".join(filter(None, notes))
        text = f"{known.text} ({note})" if note else known.text
        definer(name, field.default if default is None else None, text)


def settings_from_flags(kind: type[Settings], **changed: Any) -> Settings:
    """A dataclass whose fields come from the flags of the same names, or from `changed`."""
    names = [name for name in kind.__dataclass_fields__ if name not in changed]  # type: ignore[attr-defined]
    return kind(**flag_values(*names), **changed)


def given_settings(kind: type, *, without: Container[str] = ()) -> dict[str, Any]:
    """The fields of a dataclass whose flags were given, by name, as `define_setting_flags`."""
    names = [
        name
        for name, (field, _) in settings_of(kind).items()
        if name not in without and _definer(field.type)
    ]
    return {name: value for name, value in flag_values(*names).items() if value is not None}


def _definer(annotation: Any) -> Callable[..., Any] | None:
    """What defines the flag of a field; text is a way to write `str | Sequence[str]`."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        annotation = str if str in typing.get_args(annotation) else None
    return _DEFINERS.get(annotation)
