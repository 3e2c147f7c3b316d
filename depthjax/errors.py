"""The form of error messages: what was asked for, what exists, the nearest match."""

import difflib
import importlib
from collections.abc import Iterable
from typing import Any


def unknown(kind: str, asked: str, known: Iterable[str], *, hint: str = "") -> ValueError:
    """A one-line `ValueError` for a name that does not exist.

    Args:
        kind: what is named, such as "model".
        asked: the name that was given.
        known: the names that exist; a list of more than 24 is shortened.
        hint: what else the user can do.
    """
    names = list(known)
    begun = [name for name in names if asked and name.startswith(asked)]
    close = dict.fromkeys(begun + difflib.get_close_matches(asked, names, n=3, cutoff=0.4))
    nearest = " or ".join(repr(name) for name in list(close)[:3])
    suggestion = f"; did you mean {nearest}?" if close else "."
    listed = ", ".join(names) if len(names) <= 24 else f"{', '.join(names[:20])}, … ({len(names)})"
    tail = f" ({hint})" if hint else ""
    return ValueError(f"unknown {kind} {asked!r}{suggestion} Known: {listed}{tail}".strip())


def one_of(kind: str, asked: str, known: Iterable[str]) -> str:
    """Returns `asked` if it is among `known`; otherwise raises the error of `unknown`."""
    names = tuple(known)
    if asked not in names:
        raise unknown(kind, asked, names)
    return asked


def require(condition: bool, name: str, value: object, wanted: str) -> None:
    """Raises a `ValueError` for a setting unless a condition holds.

    Args:
        condition: whether the value is allowed.
        name: of the setting.
        value: that was given.
        wanted: what is allowed, in words ("at least 1").
    """
    if not condition:
        raise ValueError(f"{name} must be {wanted}, got {value!r}")


def in_one_line(error: BaseException, *, most: int | None = None) -> str:
    """The message of an error without line breaks; its type where it has none.

    Args:
        error: any.
        most: how many letters are kept; None: all.
    """
    return " ".join(str(error).split())[:most] or type(error).__name__


def imported(module: str, needs_it: str, install: str) -> Any:
    """A module that not every installation has.

    Args:
        module: its name, `package.module`.
        needs_it: what asks for it, for the message.
        install: what `pip install` takes to bring it.

    Raises:
        ValueError: in one line, if it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ValueError(
            f"{needs_it} needs {package}, which is not installed: pip install {install}"
        ) from error


def name_of_layer(layer: Any) -> str:
    """What messages call a layer: its name, that of its node or function, else of its class."""
    names = (getattr(layer, attribute, None) for attribute in ("name", "node", "__name__"))
    return str(next(filter(None, names), type(layer).__name__))
