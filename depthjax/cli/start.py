"""How every script starts: huge pages, compilation cache, processes, errors in one line."""

import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import jax
from absl import app, flags, logging

from depthjax.cli.compilation_cache import enable_compilation_cache
from depthjax.cli.ending import ignore_signals, interrupt_on_signals, leave
from depthjax.cli.output_flags import check_output, way_to_go_on
from depthjax.cli.parsing import forget_flags, parse
from depthjax.cli.paths import expand_flags
from depthjax.cli.streams import make_patient
from depthjax.devices import processes
from depthjax.devices.unused import unused_accelerator
from depthjax.errors import in_one_line

FLAGS = flags.FLAGS
flags.disclaim_key_flags()  # so that --help of a script shows what it asks for here

_BEGAN = time.time()


def define_script_flags() -> None:
    """--traceback, --compilation_cache, and the flags that join several processes."""
    flags.DEFINE_boolean("traceback", False, "show where an error came from")
    flags.DEFINE_boolean("compilation_cache", True, "keep compiled programs for the next run")
    flags.DEFINE_boolean(
        "distributed",
        False,
        "one of several processes: found by itself under Slurm, Open MPI, Kubernetes, on TPU pods",
    )
    flags.DEFINE_string(
        "coordinator_address",
        None,
        "where processes do not find each other: HOST:PORT of process 0",
    )
    flags.DEFINE_integer(
        "num_processes",
        None,
        "where processes do not find each other: how many there are",
        lower_bound=1,
    )
    flags.DEFINE_integer(
        "process_id",
        None,
        "where processes do not find each other: which this is, from 0",
        lower_bound=0,
    )


def run(
    main: Callable[[], None], *, processes_share: bool = False, goes_on_by_itself: bool = False
) -> None:
    """Parses the flags and runs a script.

    A ValueError, which means bad input, ends it with one line on stderr and exit status 2; Ctrl-C,
    SIGTERM and SIGHUP with one that says how to go on, and the status that shells give (130, 143,
    129).

    Args:
        main: the script.
        processes_share: whether several processes that run the script share its work.
        goes_on_by_itself: whether the same command goes on with what is in its folder.
    """
    ours = is_the_process()
    interrupted: list[int] = []
    begins_folder = "resume" in FLAGS and not goes_on_by_itself
    make_patient()
    use_huge_pages()

    def checked() -> None:
        check_output()  # what is refused is refused before weights are read and programs compiled
        main()

    def guarded(argv: list[str]) -> None:
        try:
            if len(argv) > 1:
                raise ValueError(f"unexpected argument {argv[1]!r}: {_flag_hint(argv[1])}")
            expand_flags(FLAGS)
            if FLAGS.compilation_cache:
                enable_compilation_cache()
            connect_processes(shared=processes_share)
            if line := unused_accelerator(ask_jax=False):
                print(f"{Path(argv[0]).name}: {line}", file=sys.stderr)
            on_devices(checked if begins_folder else main)
        except ValueError as error:
            _end(argv[0], f"error: {in_one_line(error)}", 2)
        except KeyboardInterrupt as error:
            if ours:
                ignore_signals()
            way = way_to_go_on(_BEGAN) if begins_folder else ""
            way = "; the same command goes on" if goes_on_by_itself else way
            print(file=sys.stderr)  # after ^C, or within a bar
            interrupted.append(getattr(error, "status", 130))
            _end(argv[0], f"interrupted{way}", interrupted[0])

    # absl shows what libraries log, such as which accelerators jax looked for in vain.
    logging.set_verbosity(logging.WARNING)
    try:
        with interrupt_on_signals():
            app.run(guarded, flags_parser=parse)
    except SystemExit:
        if interrupted and ours:
            leave(interrupted[0])
        raise
    finally:
        if in_a_host():
            forget_flags()


_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
"""What word processors and web pages make of hyphens."""


def _flag_hint(argument: str) -> str:
    if argument.startswith(tuple(_DASHES)):
        name = argument.lstrip(f"-{_DASHES}")
        return f"it begins with a long dash, and flags with two hyphens, --{name}"
    return "everything is a flag, --name=value"


def _end(script: str, line: str, status: int) -> NoReturn:
    if FLAGS.traceback:
        traceback.print_exc()
    print(f"{Path(script).name}: {line}", file=sys.stderr)
    sys.exit(status)


def in_a_host() -> bool:
    """Whether the process is IPython's, a notebook's, a debugger's or a prompt's.

    It holds what its user has made there, and may run the script again.
    """
    ipython = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return ipython is not None or hasattr(sys, "ps1") or sys.gettrace() is not None


_known: list[bool] = []


@contextmanager
def remembered_process() -> Iterator[None]:
    """Within it `is_the_process` answers as before: runpy gives the process another main module."""
    _known.append(is_the_process())
    try:
        yield
    finally:
        _known.pop()


def is_the_process() -> bool:
    """Whether this process was started as `python SCRIPT` or `python -m depthjax`, for us alone.

    It is not where another program runs the script within itself, such as `%run` of IPython.
    """
    if _known:
        return _known[-1]
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    file = getattr(main, "__file__", None)
    if in_a_host() or file is None:
        return False
    named = {spec.name, spec.name.removesuffix(".__main__")} if spec else set()
    return any(
        argument in named or os.path.realpath(argument) == os.path.realpath(file)
        for argument in sys.orig_argv[1:]
    )


def use_huge_pages() -> None:
    """Starts the process anew with memory in huge pages, where glibc offers them.

    Descents read and write hundreds of megabytes in each step, which huge pages make faster. glibc
    reads its settings when a process starts, hence the new start. A setting that the user has made
    in GLIBC_TUNABLES (`glibc.malloc.hugetlb=0`) stays, and so does a process that is not ours.
    """
    tunables = os.environ.get("GLIBC_TUNABLES", "")
    glibc = "CS_GNU_LIBC_VERSION" in getattr(os, "confstr_names", ())
    for_help = any(argument.lstrip("-").startswith("help") for argument in sys.argv[1:])
    if not glibc or for_help or "glibc.malloc.hugetlb" in tunables or not is_the_process():
        return
    os.environ["GLIBC_TUNABLES"] = ":".join(filter(None, [tunables, "glibc.malloc.hugetlb=1"]))
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def on_devices(main: Callable[[], None]) -> None:
    """Runs a script; that JAX has no device for it is one line.

    Raises:
        ValueError: if the platform that JAX was told to use is not there; and as `main`.
    """
    # Strict promotion is a check of code that is being written; optax does not pass it either.
    jax.config.update("jax_numpy_dtype_promotion", "standard")
    try:
        main()
    except (RuntimeError, AssertionError):
        try:
            jax.devices()
        except (RuntimeError, AssertionError) as error:
            asked = os.environ.get("JAX_PLATFORMS", "")
            raise ValueError(
                f"JAX finds no device for JAX_PLATFORMS={asked!r} ({in_one_line(error, most=200)});"
                " unset it for what there is, or set it to cpu"
            ) from error
        raise


def connect_processes(*, shared: bool) -> None:
    """Connects this process with the others, if the flags say that there are others.

    Args:
        shared: whether the script shares its work among processes.

    Raises:
        ValueError: if it does not; and as `depthjax.devices.processes.connect`.
    """
    given = (FLAGS.coordinator_address, FLAGS.num_processes, FLAGS.process_id)
    if not FLAGS.distributed and all(value is None for value in given):
        return
    if not shared:
        raise ValueError(
            "this script does all of its work in one process; of several, invert.py, compare.py,"
            " depth.py, gallery.py, metamers.py, readouts.py and uniqueness.py share theirs, and"
            " sweep.py has Ray's workers"
        )
    processes.connect(*given)
