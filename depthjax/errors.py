"""The shape of our error messages: what was asked, what exists, the nearest match."""

import difflib
from collections.abc import Iterable


def unknown(kind: str, asked: str, known: Iterable[str], *, hint: str = "") -> ValueError:
    """A one-line `ValueError` for a name that does not exist.

    `kind` is the noun ("model"), `asked` the name given, `known` what exists, `hint` what else to
    do. Long lists are cut.
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
    """`asked`, if it is among `known`; otherwise raises the `ValueError` of `unknown`."""
    names = tuple(known)
    if asked not in names:
        raise unknown(kind, asked, names)
    return asked


def require(condition: bool, name: str, value: object, wanted: str) -> None:
    """Raises a `ValueError` for the setting `name` unless `condition` holds.

    `value` is what was given, `wanted` says in words what is allowed ("at least 1").
    """
    if not condition:
        raise ValueError(f"{name} must be {wanted}, got {value!r}")
