"""The command line becomes flags; what is wrong with it is one line."""

import difflib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from absl import flags

from depthjax.cli.flag_files import flag_file
from depthjax.cli.paths import expand
from depthjax.errors import in_one_line

FLAGS = flags.FLAGS


def parse(arguments: list[str]) -> list[str]:
    """Parses all flags, those of flag files too, as `absl.app.run` wants it.

    A flag that does not exist or cannot have its value ends the process with one line on stderr and
    exit status 2, `--help` with status 0.

    Args:
        arguments: the script and what follows it.

    Returns:
        The script, and arguments that are no flags.
    """
    try:
        return FLAGS([arguments[0], *_with_flag_files(arguments[1:])])
    except SystemExit:  # of --help, which absl ends with 1
        sys.exit(0)
    except flags.UnrecognizedFlagError as error:
        line = _no_such_flag(error.flagname)
    except (flags.Error, ValueError) as error:
        line = in_one_line(error)
    print(f"{Path(arguments[0]).name}: error: {line}", file=sys.stderr)
    sys.exit(2)


def _with_flag_files(arguments: Iterable[str], within: tuple[str, ...] = ()) -> Iterator[str]:
    """The arguments, with the lines of a flag file in its place.

    absl reads flag files too, but neither those that Windows' editors write (with a byte order
    mark), nor what is not the locale's encoding, nor names with variables.

    Args:
        arguments: of the command line, or the lines of a flag file.
        within: the flag files that these lines came from.
    """
    rest = iter(arguments)
    for argument in rest:
        name, equals, file = argument.partition("=")
        of_file = name.startswith("-") and name.lstrip("-") == "flagfile"
        if of_file and not equals:
            file = next(rest, "")
        if argument in ("-h", "-help"):
            yield "--help"
        elif not of_file or not file:
            yield argument
        elif (path := flag_file(expand(file))) in within:
            raise ValueError(f"the flag file {path!r} asks for itself")
        else:
            yield from _with_flag_files(_lines(path), (*within, path))


def _lines(path: str) -> list[str]:
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ValueError(f"cannot read the flag file {path!r} ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"the flag file {path!r} is not UTF-8 text; save it as such") from error
    lines = map(str.strip, text.splitlines())
    return [line for line in lines if line and not line.startswith(("#", "//"))]


def _no_such_flag(name: str) -> str:
    near = difflib.get_close_matches(name.lower(), FLAGS, n=3, cutoff=0.7)
    words = set(name.lower().split("_"))  # of --seed there are several
    near = near or [flag for flag in FLAGS if words & set(flag.split("_"))][:3]
    hint = f"; did you mean {' or '.join(f'--{each}' for each in near)}?" if near else ""
    return f"there is no flag --{name}{hint or '; --help lists them all'}"


def forget_flags() -> None:
    """Removes the script's flags, so that it can be run again in the same process."""
    script = FLAGS.find_module_defining_flag("traceback")  # which every script has
    for name in [flag.name for flag in FLAGS.flags_by_module_dict().get(script or "", ())]:
        delattr(FLAGS, name)
    FLAGS.unparse_flags()
