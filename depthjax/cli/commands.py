"""`depthjax COMMAND …`: every script by its name, without the path of its file.

What a command asks for stands in `commands.json` (`depthjax.cli.describing`), so that help and
completion take no longer than Python's start.
"""

import json
import os
import runpy
import sys
import textwrap
from functools import cache
from pathlib import Path
from typing import Any

from depthjax.errors import one_of, unknown

_HELP = ("--help", "-help", "-h", "help")
_WIDTH = 100


@cache
def commands() -> dict[str, dict[str, Any]]:
    """What each command is, by name; see `depthjax.cli.describing.describe`."""
    return json.loads(Path(__file__).with_name("commands.json").read_text(encoding="utf-8"))


def main() -> None:
    """Runs the command that comes first; what follows are flags, `--name=value`."""
    name, *rest = sys.argv[1:] or ["--help"]
    if name == "help" and rest:
        name, rest = rest[0], ["--help"]
    try:
        if name in _HELP:
            print(_overview())
        elif name == "--version":
            print(_version())
        elif name == "completion":
            print(_completion(rest))
        elif name == "--complete":
            _complete(rest)
        elif name not in commands():
            raise unknown("command", name, [*commands(), "completion"])
        elif any(word in _HELP[:3] for word in rest):
            print(help_of(name))
        else:
            _check_working_folder()
            _run(name, rest)
    except ValueError as error:
        print(f"depthjax: error: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:  # `depthjax --help | head`
        sys.stderr.close()
    except KeyboardInterrupt:  # while modules are imported; scripts answer later ones themselves
        print("\ndepthjax: interrupted before anything was written", file=sys.stderr)
        sys.exit(130)


def _overview() -> str:
    """What `depthjax` alone says: the commands with a line each."""
    wide = max(map(len, commands()))
    lines = [f"  {name:{wide}}  {command['text']}" for name, command in commands().items()]
    return "\n".join(
        [
            "depthjax COMMAND --flag=value …",
            "",
            *lines,
            f'  {"completion":{wide}}  For your shell: eval "$(depthjax completion bash)", or zsh',
            "",
            "depthjax COMMAND --help shows its flags. To begin: depthjax invert --flagfile=quick",
        ]
    )


def _version() -> str:
    import depthjax

    return f"depthjax {depthjax.__version__}"


def help_of(name: str) -> str:
    """What `depthjax NAME --help` says: what it does, examples, its flags and their defaults."""
    command = commands()[name]
    lines = [f"{command['text']}.", "", *command["usage"].splitlines(), "", "flags:"]
    for flag, about in command["flags"].items():
        lines += [f"  {_shown(flag, about)}", *_wrapped(about["help"])]
        if "values" in about:
            lines += _wrapped(f"one of {', '.join(about['values'])}")
    lines += ["  --flagfile=", *_wrapped(f"settings from a file, or {_flag_files_text(name)}")]
    return "\n".join(lines)


def _shown(flag: str, about: dict[str, Any]) -> str:
    if "switch" not in about:
        return f"--{flag}={about['default']}"
    return f"--[no]{flag}" + (" (default: on)" if about["default"] == "true" else "")


def _flag_files_text(name: str) -> str:
    from depthjax.cli.flag_files import flag_files

    files = ", ".join(flag_files(name))
    return f"by their name those that come along: {files}" if files else "from several"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 8)


def _check_working_folder() -> None:
    try:
        os.getcwd()
    except OSError as error:  # Python's own errors of this say nothing of a working folder
        raise ValueError(
            "the folder that this is run in was removed; cd to one that exists"
        ) from error


def _run(name: str, arguments: list[str]) -> None:
    """Runs a command as if it were its script."""
    if name == "import":
        from depthjax.cli import importing

        importing.main(arguments)
        return
    from depthjax.cli.scripts import scripts_folder
    from depthjax.cli.start import remembered_process, use_huge_pages

    use_huge_pages()  # within runpy the process no longer looks like ours
    folder = scripts_folder()
    path = folder / f"{name}.py"
    sys.argv = [str(path), *arguments]
    sys.path.insert(0, str(folder))  # as `python PATH` does; some scripts have modules beside them
    with remembered_process():
        runpy.run_path(str(path), run_name="__main__")


def _completion(arguments: list[str]) -> str:
    from depthjax.cli import completion

    return completion.SCRIPTS[one_of("shell", (arguments or ["bash"])[0], completion.SCRIPTS)]


def _complete(arguments: list[str]) -> None:
    from depthjax.cli import completion

    for word in completion.words_for(" ".join(arguments), commands()):
        print(word)
