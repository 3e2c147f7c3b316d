"""Scripts as modules, several in one process, though their flags have the same names."""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from absl import flags

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


@contextmanager
def own_flags() -> Iterator[None]:
    """All flags but absl's are put aside, and come back when those defined meanwhile are gone."""
    registry = flags.FLAGS
    aside = _script_flags()
    for flag, _, _ in aside:
        delattr(registry, flag.name)
    try:
        yield
    finally:
        for flag, _, _ in _script_flags():
            delattr(registry, flag.name)
        for flag, module, number in aside:
            registry[flag.name] = flag
            registry.register_flag_by_module(module, flag)
            registry.register_flag_by_module_id(number, flag)


@contextmanager
def loaded(name: str) -> Iterator[ModuleType]:
    """`experiments/NAME.py` with its flags, which replace those of other scripts meanwhile."""
    spec = importlib.util.spec_from_file_location(f"{name}_script", EXPERIMENTS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with own_flags():
        spec.loader.exec_module(module)
        flags.FLAGS.mark_as_parsed()
        yield module


def _script_flags() -> list[tuple[flags.Flag, str, int]]:
    """Every flag that is not absl's, with the module that it was defined by."""
    registry = flags.FLAGS
    found = [
        (
            registry[name],
            registry.find_module_defining_flag(name),
            registry.find_module_id_defining_flag(name),
        )
        for name in registry
    ]
    return [entry for entry in found if not entry[1].startswith("absl.")]
