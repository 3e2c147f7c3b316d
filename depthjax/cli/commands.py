"""`python -m depthjax COMMAND …`: what is no experiment."""

import sys
from collections.abc import Callable
from typing import NamedTuple

from absl import flags

from depthjax.cli import importing
from depthjax.cli.start import run
from depthjax.errors import unknown

flags.disclaim_key_flags()  # so that --help of a command shows what it asks for


class Command(NamedTuple):
    """What a command is.

    Fields:
        argument: the flag that its first argument stands for.
        define: defines its flags.
        run: does it.
        text: what it does, in a line.
    """

    argument: str
    define: Callable[[], None]
    run: Callable[[], None]
    text: str


COMMANDS = {
    "import": Command(
        "model",
        importing.define_import_flags,
        importing.import_network,
        "timm:NAME --output=FOLDER: keep a network, which then needs no PyTorch",
    )
}
"""By name."""


def main() -> None:
    """Runs the command that comes first; what follows are flags, `--name=value`."""
    name, *rest = sys.argv[1:] or ["--help"]
    if name in ("--help", "-h", "help"):
        lines = [f"  {name} {command.text}" for name, command in COMMANDS.items()]
        print("\n".join(["python -m depthjax COMMAND …, with --help for its flags:", *lines]))
        return
    if name not in COMMANDS:
        print(f"depthjax: error: {unknown('command', name, COMMANDS)}", file=sys.stderr)
        sys.exit(2)
    command = COMMANDS[name]
    if rest and not rest[0].startswith("-"):
        rest[0] = f"--{command.argument}={rest[0]}"
    sys.argv = [f"depthjax {name}", *rest]
    command.define()
    run(command.run)
