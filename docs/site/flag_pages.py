"""The flags of every script and the files of flags, as the code has them when the site is built."""

import ast
import importlib.util
import re
import sys
from pathlib import Path

from absl import flags
from places import FLAG_FILES, SCRIPTS, write_page

_LIBRARIES = ("absl.", "jax.", "etils.", "tensorflow")
"""Modules whose flags are not a script's own."""


def load_flags(script: Path) -> list[flags.Flag]:
    """The flags that a script defines, in its order; they are forgotten again."""
    registry = flags.FLAGS
    before = set(registry)
    spec = importlib.util.spec_from_file_location(f"{script.stem}_flags", script)
    assert spec is not None and spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    by_module = registry.flags_by_module_dict()
    own = [
        flag
        for module, defined in by_module.items()
        for flag in defined
        if flag.name not in before and not module.startswith(_LIBRARIES)
    ]
    for name in set(registry) - before:
        delattr(registry, name)
    return own


def escape(text: str) -> str:
    """Text that Markdown shows as it is; what stands in backticks is code already."""
    pieces = re.split(r"(`[^`]*`)", text)
    return "".join(
        piece if index % 2 else re.sub(r"([\\*_<>\[\]|$~{}])", r"\\\1", piece)
        for index, piece in enumerate(pieces)
    )


def option(flag: flags.Flag) -> str:
    """One flag: its name, what it takes, its default, and what it does."""
    kind = flag.flag_type()
    signature = f"--{flag.name}" if kind == "bool" else f"--{flag.name}=<{kind}>"
    empty = flag.default in (None, "", [])
    default = "none" if empty else f"`{flag.default_as_str.strip(chr(39))}`"
    choices = getattr(flag.parser, "enum_values", None)
    among = f" One of {', '.join(f'`{value}`' for value in choices)}." if choices else ""
    negated = f" `--no{flag.name}` for false." if kind == "bool" else ""
    about = re.sub(r"^<[^>]*>: ", "", " ".join((flag.help or "").split()))  # absl's own list
    text = f"{escape(about)}.{among}{negated} Default: {default}."
    return f"````{{option}} {signature}\n{text}\n````\n"


def describe(script: Path) -> tuple[str, str]:
    """The first line of a script's docstring, and the rest, whose indented lines are code."""
    text = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or script.stem
    title, _, rest = text.partition("\n")
    return title, rest.strip("\n")


def script_page(script: Path) -> str:
    """What a script does, and its flags."""
    title, rest = describe(script)
    options = "\n".join(map(option, load_flags(script)))
    return (
        f"# {script.name}\n\n{title}\n\n{rest}\n\n## Flags\n\n"
        f"```{{program}} {script.stem}\n```\n\n{options}"
    )


def flag_file_section(path: Path) -> str:
    """What a file of flags is for, how it is run, and what is in it."""
    lines = path.read_text(encoding="utf-8").splitlines()
    comments = [line.removeprefix("#").strip() for line in lines if line.startswith("#")]
    command, *about = comments
    content = "\n".join(line for line in lines if line and not line.startswith("#"))
    return (
        f"## {path.name}\n\n{escape(' '.join(about))}\n\n"
        f"```sh\n{command}\n```\n\n```text\n{content}\n```\n"
    )


def write_flag_pages() -> None:
    """A page for each script, one of the files of flags, and the list of the pages."""
    sys.path.insert(0, str(SCRIPTS))  # scripts import what lies beside them
    rows, names = [], []
    for script in sorted(SCRIPTS.glob("*.py")):
        write_page(f"flags/{script.stem}", script_page(script))
        rows.append(f"| [{script.name}]({script.stem}.md) | {escape(describe(script)[0])} |")
        names.append(script.stem)
    toctree = "\n".join(["```{toctree}", ":hidden:", "", *names, "```"])
    write_page(
        "flags/index",
        "# Scripts and their flags\n\nEach flag stands here as the code defines it. Sets of flags"
        " that belong together are in [flag files](../flag_files.md).\n\n"
        + "\n".join(["| script | what it does |", "| --- | --- |", *rows])
        + f"\n\n{toctree}\n",
    )
    sections = map(flag_file_section, sorted(FLAG_FILES.glob("*.flags")))
    write_page(
        "flag_files",
        "# Flag files\n\nA flag file is a run that can be repeated: the command, what came of"
        " it, and its flags. Flags that follow on the command line win.\n\n" + "\n".join(sections),
    )
