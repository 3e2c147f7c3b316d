"""Scripts as modules, several in one process, though their flags have the same names."""

import importlib.util
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from absl import flags

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


@contextmanager
def loaded(name: str) -> Iterator[ModuleType]:
    """`experiments/NAME.py`; the flags it defines itself replace another script's meanwhile."""
    registry, path = flags.FLAGS, EXPERIMENTS / f"{name}.py"
    own = set(re.findall(r'^flags\.DEFINE_\w+\(\s*"(\w+)"', path.read_text(), re.MULTILINE))
    others = [
        (registry[flag], registry.find_module_defining_flag(flag), _module_id(flag))
        for flag in own & set(registry)
    ]
    for flag, _, _ in others:
        delattr(registry, flag.name)
    spec = importlib.util.spec_from_file_location(f"{name}_script", path)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        registry.mark_as_parsed()
        yield module
    finally:
        for flag in own & set(registry):
            delattr(registry, flag)
        for flag, definer, number in others:
            registry[flag.name] = flag
            registry.register_flag_by_module(definer, flag)
            registry.register_flag_by_module_id(number, flag)


def _module_id(flag: str) -> int:
    return flags.FLAGS.find_module_id_defining_flag(flag)
