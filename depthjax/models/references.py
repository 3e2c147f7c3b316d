"""Functions of a user's own, named as `package.module:function`."""

import importlib
import os
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from depthjax.errors import unknown


def function_at(reference: str, what: str, choices: str) -> Callable[..., Any]:
    """The function that a reference names; its module is imported.

    Args:
        reference: `package.module:function`. Modules of the working folder are found, too.
        what: what it is asked for, such as "model".
        choices: what else can be given, for the message.

    Raises:
        ValueError: in one line, if there is no such module or function, or importing it fails.
    """
    module_name, _, name = reference.partition(":")
    module = _module(module_name, reference, what, choices)
    found = getattr(module, name, None)
    if not callable(found):
        known = [key for key, value in vars(module).items() if _is_offered(module, key, value)]
        raise unknown("function", name, known, hint=f"of {module_name}, for {reference}")
    return found


def reference_to(function: Callable[..., Any]) -> str:
    """The name by which `function_at` finds a function, if it lies in a module that others see."""
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return f"{getattr(function, '__module__', '')}:{name}"


def _module(name: str, reference: str, what: str, choices: str) -> ModuleType:
    # As `python -m` does: scripts have the folder that they lie in there instead.
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        return importlib.import_module(name)
    except Exception as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing and f"{name}.".startswith(f"{missing}."):
            raise ValueError(
                f"no module {missing!r} for the {what} {reference!r}: {choices}; modules of this"
                f" folder ({os.getcwd()}) are found, others must be installed"
            ) from None
        raise ValueError(
            f"the module {name!r} of the {what} {reference!r} cannot be imported:"
            f" {type(error).__name__}: {error}"
        ) from error


def _is_offered(module: ModuleType, name: str, value: Any) -> bool:
    own = getattr(value, "__module__", None) == module.__name__
    return own and callable(value) and not name.startswith("_")
