"""The flags of the folder that a script writes, which mean the same in every script."""

import re
import time
from pathlib import Path

from absl import flags

FLAGS = flags.FLAGS
flags.disclaim_key_flags()  # so that --help of a script shows what it asks for here


def define_output_flags(default: str | None, content: str = "numbers and figures") -> None:
    """--output, --overwrite, --resume.

    Args:
        default: the folder; None if the script names it after its flags and the date, with
            `output_from_flags`.
        content: what the folder is for, for `--help`.
    """
    flags.DEFINE_string("output", default, f"folder of the {content}")
    flags.DEFINE_boolean("overwrite", False, "replace what is already in the folder")
    flags.DEFINE_boolean("resume", False, "go on with a run that was cut off, with the same flags")


def output_from_flags(*parts: str) -> Path:
    """`--output`, or else `runs/PARTS-DATE-TIME`.

    Args:
        parts: of the folder's name where none was given, joined by hyphens; what no file may be
            called (`package.module:function`) becomes underscores.
    """
    if FLAGS.output:
        return Path(FLAGS.output)
    name = "-".join([*parts, time.strftime("%Y%m%d-%H%M%S")])
    return Path("runs") / re.sub(r"[^\w.-]", "_", name)
