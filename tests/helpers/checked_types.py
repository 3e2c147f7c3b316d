"""Checks of types, each as cheap as its annotations allow; tests/conftest.py asks for them."""

import dataclasses
import inspect
import typing
from collections.abc import Callable
from typing import Any, TypeVar

import jaxtyping
from beartype import BeartypeConf, beartype

_ordinary = beartype(conf=BeartypeConf(violation_type=TypeError))
_jaxtyped = jaxtyping.jaxtyped


def checked(function: Any = None, *, typechecker: Callable[..., Any]) -> Any:
    """`jaxtyping.jaxtyped`, but only of what has annotations with shapes.

    That binds the arguments of every call and checks each of them twice: a fifth of what the test
    of a study takes. All others, five of six functions, have their types checked alone.
    """
    if function is None:
        return lambda function: checked(function, typechecker=typechecker)
    if inspect.isclass(function):
        if dataclasses.is_dataclass(function) and "__init__" in vars(function):
            function.__init__ = checked(function.__init__, typechecker=typechecker)
        return function
    if inspect.isfunction(function) and not _has_shapes(function):
        return _ordinary(function)
    return _jaxtyped(function, typechecker=typechecker)


def _has_shapes(function: Callable[..., Any]) -> bool:
    """Whether an annotation says a shape, or cannot be read yet."""
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except Exception:  # a name that is defined later, or only for whoever checks types
        return True
    return any(map(_is_shaped, hints.values()))


def _is_shaped(hint: Any) -> bool:
    if isinstance(hint, list | tuple):  # of a callable
        return any(map(_is_shaped, hint))
    if isinstance(hint, TypeVar):
        return any(map(_is_shaped, (hint.__bound__, *hint.__constraints__)))
    shaped = getattr(hint, "__module__", "").startswith("jaxtyping") and inspect.isclass(hint)
    return shaped or any(map(_is_shaped, typing.get_args(hint)))
