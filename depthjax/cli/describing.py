"""What every command asks for, as data: `python -m depthjax.cli.describing > commands.json`.

It lies beside this file, so that help and completion need neither JAX nor the script itself.
"""

import ast
import json
import re
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from absl import flags

from depthjax.cli import importing
from depthjax.cli.scripts import scripts_folder

_DEVELOPERS = ("document", "zoo")
"""Scripts that write into the checkout they lie in."""


def describe() -> dict[str, dict[str, Any]]:
    """By command its `text` in a line, `usage` and `flags`, of these by name `default` and `help`.

    Flags that are either on or off have `switch`, those of a few words `values`.
    """
    folder = scripts_folder()
    sys.path.insert(0, str(folder))
    commands = {"import": _described(importing.IMPORT, importing.define_import_flags)}
    for path in sorted(folder.glob("*.py")):
        if path.stem not in _DEVELOPERS:
            text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
            run = _runner(path)
            commands[path.stem] = _described(text, run)
    return dict(sorted(commands.items()))


def _runner(path: Path) -> Callable[[], Any]:
    return lambda: runpy.run_path(str(path), run_name=path.stem)


def _described(text: str, define: Callable[[], Any]) -> dict[str, Any]:
    registry = flags.FLAGS
    before = set(registry)
    define()
    new = sorted(set(registry) - before)
    asked = {name: _flag(registry[name]) for name in new}
    for name in new:
        delattr(registry, name)
    first, _, rest = _as_command(text).partition("\n")
    return {"text": first.rstrip("."), "usage": rest.strip("\n"), "flags": asked}


def _flag(flag: flags.Flag) -> dict[str, Any]:
    described: dict[str, Any] = {
        "default": (flag.default_as_str or "").strip("'"),
        "help": flag.help or "",
    }
    if flag.boolean:
        described["switch"] = True
    if values := getattr(flag.parser, "enum_values", None):
        described["values"] = list(values)
    return described


def _as_command(text: str) -> str:
    """`python experiments/invert.py --flagfile=…/quick.flags` as `depthjax` takes it."""
    text = re.sub(r"python experiments/(\w+)\.py", r"depthjax \1", text)
    text = re.sub(r"experiments/flags/(\w+)\.flags", r"\1", text)
    return text.replace("\\\\\n", "\\\n")  # in some raw docstrings the backslash is doubled


if __name__ == "__main__":
    print(json.dumps(describe(), indent=1, ensure_ascii=False))
