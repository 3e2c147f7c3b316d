"""Scripts as modules, several in one process, though their flags have the same names."""

import importlib.util
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from absl import flags, logging  # noqa: F401  its flags are no script's

EXPERIMENTS = Path(__file__).parents[2] / "experiments"

_of_scripts: set[str] = set()
"""The flags that a script has defined; those of libraries, which stay, are not among them."""


@contextmanager
def own_flags(define: Callable[[], Any]) -> Iterator[Any]:
    """Runs `define` and gives what it returns; its flags replace other scripts' meanwhile."""
    registry, others = flags.FLAGS, set(_of_scripts)
    aside = taken(others)
    _remove()
    before = set(registry)
    try:
        try:
            defined = define()
        finally:  # also of a script that fails half-way
            _of_scripts.update(set(registry) - before)
        registry.mark_as_parsed()
        yield defined
    finally:
        _remove()
        put_back(aside)
        _of_scripts.update(others)


def taken(names: Iterable[str]) -> list[tuple[Any, str, int]]:
    """Flags with the modules that define them, for `put_back`."""
    registry = flags.FLAGS
    return [
        (
            registry[name],
            registry.find_module_defining_flag(name),
            registry.find_module_id_defining_flag(name),
        )
        for name in names
    ]


def put_back(aside: Iterable[tuple[Any, str, int]]) -> None:
    """Defines flags again that were removed."""
    for flag, module, number in aside:
        flags.FLAGS[flag.name] = flag
        flags.FLAGS.register_flag_by_module(module, flag)
        flags.FLAGS.register_flag_by_module_id(number, flag)


@contextmanager
def loaded(name: str) -> Iterator[ModuleType]:
    """`experiments/NAME.py` with its flags, which replace those of other scripts meanwhile."""
    spec = importlib.util.spec_from_file_location(f"{name}_script", EXPERIMENTS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with own_flags(lambda: spec.loader.exec_module(module)):
        yield module


def _remove() -> None:
    for name in _of_scripts & set(flags.FLAGS):
        delattr(flags.FLAGS, name)
    _of_scripts.clear()
