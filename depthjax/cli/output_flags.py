"""The flags of the folder that a script writes, which mean the same in every script."""

import re
import shlex
import time
from pathlib import Path

from absl import flags

from depthjax.devices import processes
from depthjax.folders.begin import check_beginning
from depthjax.folders.config import is_run
from depthjax.folders.unfinished import unfinished_runs

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


_RUNS = Path("runs")
_MOST_NAMED = 3


def check_output() -> None:
    """Returns if the script may write to `--output`, before it computes anything.

    Raises:
        ValueError: for `--resume` without a folder, and as
            `depthjax.folders.begin.check_beginning`.
    """
    if FLAGS.output is None and FLAGS.resume:
        raise ValueError(f"--resume needs the --output that it goes on with{_that_could_go_on()}")
    if FLAGS.output is not None and processes.is_first():
        check_beginning(FLAGS.output, overwrite=FLAGS.overwrite, resume=FLAGS.resume)


def _that_could_go_on() -> str:
    """The unfinished runs of the model that was asked for, as the end of a sentence."""
    model = FLAGS.model if "model" in FLAGS else None
    found = [shlex.quote(str(folder)) for folder in unfinished_runs(_RUNS, model)]
    of_model = f" of {model}" if model else ""
    if not found:
        return f"; {_RUNS} holds no unfinished run{of_model}"
    more = f", … ({len(found)})" if len(found) > _MOST_NAMED else ""
    return f"; unfinished{of_model}: {', '.join(found[:_MOST_NAMED])}{more}"


def way_to_go_on(began: float) -> str:
    """How a script that was interrupted is gone on with, as the end of a sentence.

    Args:
        began: when this process began, in seconds of `time.time`.
    """
    folder = Path(FLAGS.output) if FLAGS.output else None
    if folder is None or not is_run(folder):
        return " before anything was written"
    if not FLAGS.resume and (folder / "config.json").stat().st_mtime < began:
        return f" before anything was written; the older run in {str(folder)!r} is as it was"
    return f"; the same command with --output={shlex.quote(str(folder))} --resume goes on"


def output_from_flags(*parts: str) -> Path:
    """`--output`, or else `runs/PARTS-DATE-TIME`, which is `--output` from then on.

    Args:
        parts: of the folder's name where none was given, joined by hyphens; what no file may be
            called (`package.module:function`) becomes underscores.
    """
    if FLAGS.output:
        return Path(FLAGS.output)
    name = "-".join([*parts, time.strftime("%Y%m%d-%H%M%S")])
    FLAGS["output"].value = str(_RUNS / re.sub(r"[^\w.-]", "_", name))
    return Path(FLAGS.output)
