"""How every script starts: huge pages, compilation cache, processes, errors in one line."""

import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import jax
from absl import app, flags, logging

from depthjax.devices import processes
from depthjax.files import cache_folder

FLAGS = flags.FLAGS
flags.disclaim_key_flags()  # so that --help of a script shows what it asks for here


def define_script_flags() -> None:
    """--traceback, --compilation_cache, and the flags that join several processes."""
    flags.DEFINE_boolean("traceback", False, "show where an error came from")
    flags.DEFINE_boolean("compilation_cache", True, "keep compiled programs for the next run")
    flags.DEFINE_boolean(
        "distributed",
        False,
        "one of several processes: found by itself under Slurm, Open MPI, Kubernetes, on TPU pods",
    )
    flags.DEFINE_string("coordinator_address", None, "elsewhere: HOST:PORT of process 0")
    flags.DEFINE_integer("num_processes", None, "elsewhere: how many there are", lower_bound=1)
    flags.DEFINE_integer("process_id", None, "elsewhere: which this is, from 0", lower_bound=0)


def run(main: Callable[[], None], *, processes_share: bool = False) -> None:
    """Parses the flags and runs a script.

    A ValueError, which means bad input, ends it with one line on stderr and exit status 2.

    Args:
        main: the script.
        processes_share: whether several processes that run the script share its work.
    """
    use_huge_pages()

    def guarded(argv: list[str]) -> None:
        try:
            if len(argv) > 1:
                raise ValueError(
                    f"unexpected argument {argv[1]!r}: everything is a flag, --name=value"
                )
            enable_compilation_cache()
            connect_processes(shared=processes_share)
            main()
        except ValueError as error:
            if FLAGS.traceback:
                traceback.print_exc()
            message = " ".join(str(error).split())
            print(f"{Path(argv[0]).name}: error: {message}", file=sys.stderr)
            sys.exit(2)
        except KeyboardInterrupt:
            if FLAGS.traceback:
                traceback.print_exc()
            way = "; the same command with --resume goes on" if "resume" in FLAGS else ""
            print(f"\n{Path(argv[0]).name}: interrupted{way}", file=sys.stderr)
            sys.exit(130)

    # absl shows what libraries log, such as which accelerators jax looked for in vain.
    logging.set_verbosity(logging.WARNING)
    app.run(guarded)


def use_huge_pages() -> None:
    """Starts the process anew with memory in huge pages, where glibc offers them.

    Descents read and write hundreds of megabytes in each step, which huge pages make faster. glibc
    reads its settings when a process starts, hence the new start. A setting that the user has made
    in GLIBC_TUNABLES (`glibc.malloc.hugetlb=0`) stays.
    """
    tunables = os.environ.get("GLIBC_TUNABLES", "")
    glibc = "CS_GNU_LIBC_VERSION" in getattr(os, "confstr_names", ())
    for_help = any(argument.lstrip("-").startswith("help") for argument in sys.argv[1:])
    if not glibc or for_help or "glibc.malloc.hugetlb" in tunables:
        return
    os.environ["GLIBC_TUNABLES"] = ":".join(filter(None, [tunables, "glibc.malloc.hugetlb=1"]))
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def enable_compilation_cache() -> None:
    """Keeps compiled programs in the user's cache folder, unless `--nocompilation_cache`."""
    if not FLAGS.compilation_cache or "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    jax.config.update("jax_compilation_cache_dir", str(cache_folder() / "xla"))
    # The default keeps nothing that compiled in under a second, which is most of what we run.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


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
            "this script does all of its work in one process; of several, invert.py, compare.py"
            " and depth.py share theirs, and sweep.py has Ray's workers"
        )
    processes.connect(*given)
